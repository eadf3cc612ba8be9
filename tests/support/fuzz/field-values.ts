import { extremesOf } from "./extremes.ts";
import { HOSTILE_TEXTS } from "./hostile.ts";
import type { Schema } from "./json-texts.ts";

const json = (value: unknown): string => JSON.stringify(value);

/** Durations that are malformed, at a limit or beyond it. */
const DURATIONS = [
  "",
  "0s",
  "-5s",
  "1",
  "1.5h",
  "1h 30m",
  "1h1h1h",
  "1y",
  "10y",
  "520w",
  "521w",
  "522w",
  "3650d",
  "3654d",
  "9999999999w",
  "99999999999999999999s",
  "1e9s",
  "Infinitys",
  `${"1h".repeat(200)}`,
].map(json);

/** Points in time that are malformed, at a limit or beyond it, and texts that `Date.parse` accepts as one. */
const DATES = [
  ...[
    "foo 1",
    "-1",
    "1",
    "12345",
    "May 2099",
    "2026-02-30T00:00:00Z",
    "2026-13-45T99:99:99Z",
    "2030-01-01",
    "2030-01-01T00:00:00.000+99:00",
    "0000-01-01T00:00:00Z",
    "9999-12-31T23:59:59.999Z",
    "+275760-09-13T00:00:00.000Z",
    "+999999-01-01T00:00:00Z",
    "-271821-04-20T00:00:00.000Z",
  ].map(json),
  ..."0,-1,1,1e300,-1e300,8640000000000000,8640000000000001,253402300800000,99999999999999999999".split(","),
];

const CRONS = [
  "* * * * *",
  "* * 31 2 *",
  "0 0 29 2 1",
  "*/0 * * * *",
  "60 * * * *",
  "0-59/59 * * * *",
  "@reboot",
  "* * * * * *",
  "L W # ? *",
  `${"0,".repeat(2_000)}0 * * * *`,
].map(json);

const ZONES = ["Europe/Berlin", "UTC", "GMT+14", "+25:00", "Mars/Olympus", "__proto__", "utc", "EST5EDT"].map(
  json,
);

const NUMBERS =
  "0,-0,-1,1,0.5,1e-300,1e300,-1e300,1e999,2147483648,9007199254740991,9007199254740993,99999999999999999999".split(
    ",",
  );

const nested = (open: string, close: string, depth: number): string =>
  `${open.repeat(depth)}1${close.repeat(depth)}`;

/** Values of any kind, and trees that are deep, wide or that name an object's prototype. */
const TREES = [
  nested("[", "]", 90),
  nested("[", "]", 3_000),
  nested('{"a":', "}", 90),
  nested('{"a":', "}", 101),
  nested('{"a":', "}", 3_000),
  `[${"0,".repeat(12_000)}0]`,
  `{${Array.from({ length: 2_000 }, (_, n) => `"k${n}":${n}`).join(",")}}`,
  '{"__proto__":{"polluted":true}}',
  '{"constructor":{"prototype":{"polluted":true}}}',
  '{"":null}',
  '{"a":1,"a":2}',
];

const WRONG_TYPES = ["null", "true", "0", "-1", '""', '"x"', "[]", "{}", "[null]", "1e300"];

const IS_DURATION = /delay|ttl|timeout|period|duration|expiresIn|window|overlap/i;
const IS_DATE = /date|time$|At$|^from$|^to$|until|delay|\[from\]|\[to\]/i;
const IS_CRON = /cron/i;
const IS_ZONE = /zone/i;
const IS_NUMBER = /page$|perPage|size|limit|count|offset|attempt|number|\[size\]/i;

/** The longest text that is sent: higher limits are tested where they are enforced. */
const LONGEST = 300_000;

/**
 * Returns JSON texts that a field of this name and schema must be safe against, in equally likely groups:
 * values hostile to the field's meaning, extreme numbers that pass its schema, values at its own limits,
 * generally hostile values, and values of another type.
 */
export function fieldValues(name: string, schema: Schema): string[][] {
  const types = schema.type === undefined ? [] : [schema.type].flat();
  const isNumber = types.includes("number") || types.includes("integer") || IS_NUMBER.test(name);
  const isTree = types.length === 0 || types.includes("object");
  const meaning = [
    ...(IS_DURATION.test(name) ? DURATIONS : []),
    ...(IS_DATE.test(name) || schema.format === "date-time" ? DATES : []),
    ...(IS_CRON.test(name) ? CRONS : []),
    ...(IS_ZONE.test(name) ? ZONES : []),
    ...(isNumber ? NUMBERS : []),
    ...(isTree ? TREES : []),
  ];
  const limits = [
    ...(types.includes("string") ? lengths(schema) : []),
    ...(isNumber ? bounds(schema) : []),
    ...(types.includes("array") ? sizes(schema) : []),
  ];
  // Values that pass the schema get furthest: they are stored, and read by others.
  const extremes = isNumber ? extremesOf(schema) : [];
  const hostile = types.includes("string") || isTree ? HOSTILE_TEXTS.map(json) : [];
  // Most defects were found with values that are hostile to the field's meaning.
  return [meaning, meaning, extremes, extremes, limits, hostile, WRONG_TYPES].filter(
    (values) => values.length > 0,
  );
}

/** Texts about as long as they may be, of characters of one and of two bytes. */
function lengths({ maxLength, minLength = 0 }: Schema): string[] {
  const at = [minLength - 1, minLength, ...(maxLength === undefined ? [] : [maxLength, maxLength + 1])];
  return at
    .filter((length) => length >= 0 && length <= LONGEST)
    .flatMap((length) => [json("x".repeat(length)), json("ä".repeat(length))]);
}

function bounds({ maximum, minimum }: Schema): string[] {
  const at = [minimum, maximum].filter((bound) => bound !== undefined);
  return at.flatMap((bound) => [bound - 1, bound, bound + 1, bound + 0.5]).map(String);
}

function sizes({ maxItems = 10_000, minItems = 0 }: Schema): string[] {
  const list = (length: number): string => `[${Array.from({ length }, () => '"a"').join(",")}]`;
  return [minItems - 1, minItems, maxItems, maxItems + 1, 12_000]
    .filter((length) => length >= 0 && length <= 20_000)
    .map(list);
}
