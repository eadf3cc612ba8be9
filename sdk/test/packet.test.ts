import fc from "fast-check";
import { expect, test } from "vitest";
import { decodePacket, encodePacket, isPlainJson } from "../src/client/packet.ts";

const back = (value: unknown): unknown => {
  const { data, dataType } = encodePacket(value);
  return decodePacket(data, dataType);
};

test("whatever JSON can express is restored, as plain JSON or text", () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      // JSON has no -0, so superjson represents it.
      expect(back(value)).toEqual(value);
      if (isPlainJson(value))
        expect(["application/json", "text/plain"]).toContain(encodePacket(value).dataType);
    }),
  );
});

test("so are values that JSON can't express", () => {
  const rich = fc.oneof(
    fc.date({ noInvalidDate: true }),
    fc.bigInt(),
    fc.uniqueArray(fc.integer()).map((items) => new Set(items)),
    fc.array(fc.tuple(fc.string(), fc.integer())).map((items) => new Map(items)),
    fc.constantFrom(Number.NaN, Number.POSITIVE_INFINITY, -0, /a+/gi, undefined),
  );
  fc.assert(
    fc.property(fc.dictionary(fc.stringMatching(/^[a-z]{1,8}$/), fc.oneof(rich, fc.array(rich))), (value) => {
      expect(back(value)).toEqual(value);
    }),
  );
});

test("cycles are restored as cycles", () => {
  const cycle: { self?: unknown; name: string } = { name: "a" };
  cycle.self = cycle;
  const copy = back(cycle) as typeof cycle;
  expect(copy.self).toBe(copy);
  expect(copy.name).toBe("a");
});

test("text that looks like JSON stays text; nothing stays nothing", () => {
  expect(back('{"a":1}')).toBe('{"a":1}');
  expect(back("")).toBe("");
  expect(back(undefined)).toBeUndefined();
  expect(back(null)).toBeNull();
});

test("packets that are stored elsewhere or don't match their type are refused", () => {
  expect(() => decodePacket("path", "application/store")).toThrow("it has to be downloaded first");
  expect(() => decodePacket("{", "application/json")).toThrow(SyntaxError);
});
