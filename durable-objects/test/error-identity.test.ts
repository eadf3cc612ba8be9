import type { TaskRunError } from "@acme/sdk/contract";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { identifyError, normalizeMessage, ownFrames } from "../src/shared/error-identity.ts";

const failure = (message: string, stackTrace = "", name = "Error"): TaskRunError => ({
  type: "BUILT_IN_ERROR",
  name,
  message,
  stackTrace,
});

const fingerprintOf = (error: TaskRunError, task = "send-email") => identifyError(error, task).fingerprint;

describe("the part of a message that identifies an error", () => {
  it.each([
    ["Timed out after 5000 ms", "Timed out after <number> ms"],
    ["Took 1,204.5 s", "Took <number> s"],
    ["User 'bob' is not 12", "User <string> is not <number>"],
    ['Unexpected token "}" in JSON at position 14', "Unexpected token <string> in JSON at position <number>"],
    ["Can't find it, don't try", "Can't find it, don't try"],
    ["No `a b` here", "No <string> here"],
    ["GET https://api.example.com/v1/users/17?x=1 failed", "GET <url> failed"],
    ["connect ECONNREFUSED 10.0.0.7:5432", "connect ECONNREFUSED <number>:<number>"],
    ["No row 0b5e7a52-6a0e-4bd1-9a11-6f7d1a2b3c4d", "No row <uuid>"],
    ["at 0xDEADbeef", "at <hex>"],
    ["commit 69b3a71c0ffee", "commit <hex>"],
    ["No customer cus_NffrFeUfNV2Hib", "No customer <id>"],
    ["mail to a.b+c@example.co.uk bounced", "mail to <email> bounced"],
    ["since 2026-11-27T21:25:20.123Z", "since <time>"],
    ["two\n  lines", "two lines"],
    ["a façade of deadbeef words, feedback", "a façade of deadbeef words, feedback"],
  ])("%s", (message, normalized) => {
    expect(normalizeMessage(message)).toBe(normalized);
  });

  it("is found in time that is linear in its length", () => {
    // A pattern that backtracks would take minutes here, and the test's own limit of time would end it.
    for (const part of ["a", "1", "a1", "'", '"', "://", "@", "a.", "-", "0x", "deadbeef", "2026-11-27T"])
      expect(normalizeMessage(part.repeat(200_000)).length).toBeLessThan(10_000);
  });
});

const STACK = `Error: boom
    at charge (file:///tmp/acme/bundles/9f86d081884c/src/trigger/billing.ts:10:11)
    at Object.run (file:///tmp/acme/bundles/9f86d081884c/src/trigger/order.ts:42:5)
    at async /tmp/acme/x/node_modules/undici/index.js:1:2
    at process.processTicksAndRejections (node:internal/process/task_queues:95:5)`;

describe("own frames", () => {
  it("are those of the user's files, without lines, deployments and libraries", () => {
    expect(ownFrames(STACK)).toEqual(["charge trigger/billing.ts", "run trigger/order.ts"]);
  });

  it("are empty for a text that is not a stack", () => {
    expect(ownFrames("")).toEqual([]);
    expect(ownFrames("no frames\nat all (here)")).toEqual([]);
  });
});

describe("a fingerprint", () => {
  it("is the same for the same error with other data, in another line and another deployment", () => {
    const later = STACK.replaceAll("9f86d081884c", "1b4f0e985197").replaceAll(":10:11", ":12:3");
    expect(fingerprintOf(failure("order 17 of 'ann'", STACK))).toBe(
      fingerprintOf(failure("order 18 of 'bob'", later)),
    );
  });

  it("differs by task, type, text and place", () => {
    const prints = [
      fingerprintOf(failure("boom", STACK)),
      fingerprintOf(failure("boom", STACK), "other-task"),
      fingerprintOf(failure("boom", STACK, "TypeError")),
      fingerprintOf(failure("bang", STACK)),
      fingerprintOf(failure("boom", STACK.replace("charge", "refund"))),
    ];
    expect(new Set(prints).size).toBe(prints.length);
  });

  it("exists for every kind of error", () => {
    const errors: TaskRunError[] = [
      { type: "STRING_ERROR", raw: "no luck 7" },
      { type: "CUSTOM_ERROR", raw: '{"message":"no luck 7"}' },
      { type: "INTERNAL_ERROR", code: "TASK_PROCESS_OOM_KILLED" },
    ];
    expect(errors.map((error) => identifyError(error, "t").name)).toEqual([
      "Error",
      "Error",
      "TASK_PROCESS_OOM_KILLED",
    ]);
  });

  it("is 16 hexadecimal digits, whatever was thrown", () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), fc.string(), (message, stack, name) => {
        expect(fingerprintOf(failure(message, stack, name))).toMatch(/^[0-9a-f]{16}$/);
      }),
    );
  });
});
