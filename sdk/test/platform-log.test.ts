import { expect, it } from "vitest";
import {
  formatPlatformLog,
  parsePlatformLogLine,
  platformLog,
  platformLogRecord,
  platformLogSettings,
  withoutCredentials,
} from "../src/contract/platform-log.ts";

const TIME = new Date("2026-01-02T03:04:05.678Z");
const lineOf = (...[level, part, message, fields]: Parameters<typeof platformLogRecord>) =>
  formatPlatformLog(platformLogRecord(level, part, message, fields, TIME), "json");

it("writes one line of JSON with the ids, and reads it again", () => {
  const record = platformLogRecord(
    "warn",
    "host",
    "Two\nlines",
    { run: "run_1", tries: 2, lost: undefined },
    TIME,
  );
  const line = formatPlatformLog(record, "json");
  expect(JSON.parse(line)).toEqual({
    time: "2026-01-02T03:04:05.678Z",
    level: "warn",
    part: "host",
    message: "Two\nlines",
    run: "run_1",
    tries: 2,
  });
  expect(line).not.toContain("\n");
  expect(parsePlatformLogLine(line, "worker")).toEqual(record);
  expect(formatPlatformLog(record, "pretty")).toBe(
    "2026-01-02T03:04:05.678Z WARN [host] Two\nlines run=run_1 tries=2",
  );
});

it("creates a record for a line that is not one", () => {
  for (const line of ["workerd: it crashed", "{}", '{"time":1}', "{"])
    expect(parsePlatformLogLine(line, "worker")).toMatchObject({
      level: "warn",
      part: "worker",
      message: line,
    });
});

it("leaves out text that errors quote: parameters of a statement, the input of a parser", () => {
  const cause = new Error("connection lost");
  const query = new Error('Failed query: insert into "runs" values ($1)\nparams: marker-payload', { cause });
  expect(lineOf("error", "worker", "It failed", { error: query })).not.toContain("marker");
  expect(lineOf("error", "worker", "It failed", { error: query })).toContain("connection lost");
  for (const text of ['{"secret": "marker', "marker-payload", '{"a":marker}']) {
    let error: unknown;
    try {
      JSON.parse(text);
    } catch (thrown) {
      error = thrown;
    }
    expect(lineOf("error", "worker", "It failed", { error })).not.toContain("marker");
    expect(lineOf("error", "worker", "It failed", { error })).toContain("SyntaxError");
  }
});

it("leaves out credentials by their form, and objects altogether", () => {
  for (const secret of [
    "tr_prod_sk_abcdef0123456789",
    "tr_dev_abcdef0123456789",
    "tr_pat_abcdef0123456789abcdef",
    "whsec_bWFya2VyLW1hcmtlcg==",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ4In0.abc-def",
  ])
    expect(withoutCredentials(`before ${secret} after`)).toBe("before … after");
  expect(withoutCredentials("Authorization: Bearer abc.def-ghi0")).toBe("Authorization: Bearer …");
  expect(withoutCredentials("at https://ada:secret@example.com/x")).toBe("at https://…@example.com/x");
  expect(withoutCredentials("GET https://example.com/a?token=secret failed")).toBe(
    "GET https://example.com/a… failed",
  );
  expect(withoutCredentials("run_abc of env_x in task tr_prod")).toBe("run_abc of env_x in task tr_prod");
  const line = lineOf("info", "worker", "x", {
    payload: { secret: "marker" },
    run: "tr_prod_sk_abcdef0123456789",
  });
  expect(JSON.parse(line)).not.toHaveProperty("payload");
  expect(line).not.toContain("abcdef0123456789");
});

it("uses the configured level and format, and ignores invalid ones", () => {
  const defaults = { level: "info", format: "json" } as const;
  expect(platformLogSettings({ LOG_LEVEL: "WARN", LOG_FORMAT: "pretty" }, defaults)).toEqual({
    level: "warn",
    format: "pretty",
  });
  expect(platformLogSettings({ LOG_LEVEL: "loud", LOG_FORMAT: "" }, defaults)).toEqual(defaults);
  const lines: string[] = [];
  const log = platformLog(
    "host",
    () => ({ level: "warn", format: "json" }),
    (line) => lines.push(line),
  );
  log.debug("no");
  log.info("no");
  log.warn("yes");
  log.error("yes");
  expect(lines.map((line) => JSON.parse(line).level)).toEqual(["warn", "error"]);
});
