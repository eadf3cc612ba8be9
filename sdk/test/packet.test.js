import fc from "fast-check";
import { expect, test } from "vitest";
import { decodePacket, encodePacket, isPlainJson } from "../src/client/packet.js";

const back = (value) => {
  const { data, dataType } = encodePacket(value);
  return decodePacket(data, dataType);
};
test("whatever JSON can say comes back the same, as plain JSON or text", () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      // JSON has no -0: superjson carries it.
      expect(back(value)).toEqual(value);
      if (isPlainJson(value))
        expect(["application/json", "text/plain"]).toContain(encodePacket(value).dataType);
    }),
  );
});
test("so does what JSON can't say", () => {
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
test("cycles come back as cycles", () => {
  const cycle = { name: "a" };
  cycle.self = cycle;
  const copy = back(cycle);
  expect(copy.self).toBe(copy);
  expect(copy.name).toBe("a");
});
test("text that looks like JSON stays text; nothing stays nothing", () => {
  expect(back('{"a":1}')).toBe('{"a":1}');
  expect(back("")).toBe("");
  expect(back(undefined)).toBeUndefined();
  expect(back(null)).toBeNull();
});
test("what is stored elsewhere or isn't of its type is refused", () => {
  expect(() => decodePacket("path", "application/store")).toThrow("it has to be downloaded first");
  expect(() => decodePacket("{", "application/json")).toThrow(SyntaxError);
});
