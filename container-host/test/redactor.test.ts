import { describe, expect, it } from "vitest";
import { Redactor } from "../src/redactor.ts";

const PEM = "-----BEGIN KEY-----\nMIIEvQIBADANBgkq\nhkiG9w0BAQEFAASC\n-----END KEY-----";
const env = {
  TOKEN: "s3cr3t-token",
  LONGER: "s3cr3t-token-and-more",
  PEM,
  PIN: "1234",
  NUMBER: "987654321",
  OPEN: "visible",
};
const redactor = new Redactor(env, ["TOKEN", "LONGER", "PEM", "PIN", "NUMBER", "MISSING"]);

describe("records of a run", () => {
  it("contain no secret values", () => {
    expect(redactor.text("a s3cr3t-token b s3cr3t-token-and-more c visible")).toBe(
      "a [redacted] b [redacted] c visible",
    );
  });

  it("keep values that are too short to be distinguished from other text", () => {
    expect(redactor.text("1234 apples")).toBe("1234 apples");
  });

  it("contain no part of a value of many lines, in one entry or in several", () => {
    const entry = (message: string) => ({ time: 1, level: "info" as const, message });
    const entries = redactor.entries([
      entry(`key: ${PEM}`),
      entry("-----BEGIN KEY-----"),
      entry("  MIIEvQIBADANBgkq"),
      entry(JSON.stringify({ key: PEM })),
    ]);
    expect(entries.map(({ message }) => message)).toEqual([
      "key: [redacted]",
      "[redacted]",
      "  [redacted]",
      '{"key":"[redacted]"}',
    ]);
  });

  it("contain no value that a line break interrupts", () => {
    expect(redactor.text("a\nb s3cr3t-\ntoken c\n\nd s3c\r\nr3t-token-and\n-more\ne 1234\n5")).toBe(
      "a\nb [redacted] c\n\nd [redacted]\ne 1234\n5",
    );
    expect(redactor.text("s3cr3t-token\nand s3cr3t\n token")).toBe("[redacted]\nand s3cr3t\n token");
    const error = {
      type: "BUILT_IN_ERROR" as const,
      name: "Error",
      message: "s3cr\n3t-token",
      stackTrace: "",
    };
    expect(redactor.outcome({ type: "failure", error }).error).toMatchObject({ message: "[redacted]" });
  });

  it("contain no value that is spread over the entries of one write, however short its lines are", () => {
    const redactor = new Redactor({ PIN: "ab1\ncd2\nef3" }, ["PIN"]);
    const redacted = (...messages: string[]) =>
      redactor
        .entries(messages.map((message) => ({ time: 1, level: "info", message })))
        .map(({ message }) => message);
    expect(redacted("before", "the pin: ab1", "cd2", "ef3.", "cd2")).toEqual([
      "before",
      "the pin: [redacted]",
      "[redacted]",
      "[redacted].",
      "cd2",
    ]);
    expect(redacted("ab1", "cd2", "other")).toEqual(["ab1", "cd2", "other"]);
  });

  it("contain none in properties, at any depth, and none as a number", () => {
    const properties = { a: { b: ["x s3cr3t-token"] }, n: 987654321, ok: true, none: null };
    const [entry] = redactor.entries([{ time: 1, level: "info", message: "m", properties }]);
    expect(entry?.properties).toEqual({
      a: { b: ["x [redacted]"] },
      n: "[redacted]",
      ok: true,
      none: null,
    });
  });

  it("contain none in errors, and leave outputs as the task returned them", () => {
    const error = {
      type: "BUILT_IN_ERROR" as const,
      name: "Error",
      message: "GET https://api/?t=s3cr3t-token",
      stackTrace: "Error: s3cr3t-token\n at x",
    };
    expect(redactor.outcome({ type: "failure", error })).toEqual({
      type: "failure",
      error: { ...error, message: "GET https://api/?t=[redacted]", stackTrace: "Error: [redacted]\n at x" },
    });
    const success = { type: "success" as const, output: '"s3cr3t-token"', outputType: "application/json" };
    expect(redactor.outcome(success)).toEqual(success);
  });

  it("are unchanged if nothing is secret", () => {
    const entries = [{ time: 1, level: "info" as const, message: "s3cr3t-token" }];
    expect(new Redactor(env, []).entries(entries)).toBe(entries);
  });
});
