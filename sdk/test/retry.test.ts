import { describe, expect, test } from "vitest";
import { AbortTaskRunError, retry } from "../src/index.ts";
import { apiServer } from "./support/api.ts";

const FAST = { minTimeoutInMs: 1, maxTimeoutInMs: 2 };

describe("retry.onThrow", () => {
  test("calls again until it works", async () => {
    const attempts: number[] = [];
    const result = await retry.onThrow(
      async ({ attempt, maxAttempts }) => {
        attempts.push(attempt);
        if (attempt < maxAttempts) throw new Error("not yet");
        return "done";
      },
      { ...FAST, maxAttempts: 4 },
    );
    expect(result).toBe("done");
    expect(attempts).toEqual([1, 2, 3, 4]);
  });

  test("throws the last error when no attempts are left, and AbortTaskRunError at once", async () => {
    let calls = 0;
    const failing = (error: (n: number) => Error) => () => {
      calls++;
      return Promise.reject(error(calls));
    };
    await expect(
      retry.onThrow(
        failing((n) => new Error(`number ${n}`)),
        FAST,
      ),
    ).rejects.toThrow("number 3");
    calls = 0;
    await expect(
      retry.onThrow(
        failing(() => new AbortTaskRunError("stop")),
        FAST,
      ),
    ).rejects.toThrow("stop");
    expect(calls).toBe(1);
  });
});

describe("retry.fetch", () => {
  const backoff = { strategy: "backoff", ...FAST } as const;

  test("by status, with the count in a header and the body sent each time", async () => {
    const server = await apiServer((_, count) => ({ status: count < 3 ? 503 : 200, body: { count } }));
    const init = { method: "POST", body: '{"a":1}', retry: { byStatus: { "5xx": backoff } } };
    const response = await retry.fetch(new Request(server.url, { method: "POST", body: '{"a":1}' }), {
      retry: init.retry,
    });
    expect(await response.json()).toEqual({ count: 3 });
    expect(server.received.map((r) => [r.headers["x-retry-count"], r.body])).toEqual([
      ["1", { a: 1 }],
      ["2", { a: 1 }],
      ["3", { a: 1 }],
    ]);
  });

  test("returns the response if its status is not one to retry, or no attempts are left", async () => {
    const server = await apiServer(() => ({ status: 500, body: {} }));
    expect((await retry.fetch(server.url, { retry: { byStatus: { "429": backoff } } })).status).toBe(500);
    expect(server.received).toHaveLength(1);
    expect((await retry.fetch(server.url, { retry: { byStatus: { "500-599": backoff } } })).status).toBe(500);
    expect(server.received).toHaveLength(4);
  });

  test("by the time in a header, and by the body's contents", async () => {
    const server = await apiServer((_, count) => ({
      status: count === 1 ? 429 : count === 2 ? 400 : 200,
      headers: { "x-reset": String(Date.now() + 5) },
      body: { error: { type: "busy" } },
    }));
    const response = await retry.fetch(server.url, {
      retry: {
        byStatus: {
          "429": { strategy: "headers", resetHeader: "x-reset", resetFormat: "unix_timestamp_in_ms" },
          "400": { ...backoff, bodyFilter: { error: { type: ["busy", "later"] } } },
        },
      },
    });
    expect(response.status).toBe(200);
    expect(server.received).toHaveLength(3);
  });

  test("after lost connections and timeouts, not after the caller's own abort", async () => {
    const server = await apiServer((_, count) =>
      count === 1 ? { hangUp: true } : count === 2 ? { silent: true } : { body: 1 },
    );
    const retries = { connectionError: FAST, timeout: FAST };
    expect((await retry.fetch(server.url, { timeoutInMs: 100, retry: retries })).status).toBe(200);
    expect(server.received).toHaveLength(3);
    const aborted = AbortSignal.abort(new Error("enough"));
    await expect(retry.fetch(server.url, { signal: aborted, retry: retries })).rejects.toThrow("enough");
    expect(server.received).toHaveLength(3);
  });
});
