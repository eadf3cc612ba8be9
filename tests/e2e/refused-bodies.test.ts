import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type LocalServer, startLocalServer } from "../support/local-server.ts";

let server: LocalServer;
beforeAll(async () => {
  server = await startLocalServer({ example: false });
});
afterAll(() => server?.stop());

const MEGABYTE = "x".repeat(1024 * 1024);

/** A body of 24 MB, with or without a content length. */
const bodies: [string, () => BodyInit][] = [
  ["of a known length", () => MEGABYTE.repeat(24)],
  [
    "that is streamed",
    () => {
      let sent = 0;
      const encoder = new TextEncoder();
      return new ReadableStream({
        pull(controller) {
          if (sent++ === 24) controller.close();
          else controller.enqueue(encoder.encode(MEGABYTE));
        },
      });
    },
  ],
];

describe.each(bodies)("a body %s that is refused", (_what, body) => {
  const post = (path: string, key: string) =>
    fetch(`${server.apiUrl}${path}`, {
      method: "POST",
      headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
      body: body(),
      duplex: "half",
    } as RequestInit);

  it.each([
    ["too large", "/api/v1/tasks/hello/trigger", 413],
    ["for a route that is not there", "/api/v1/nothing", 404],
    ["for a batch that is not there", "/api/v3/batches/batch_x/items", 404],
  ])("is answered, not cut off: %s", async (_why, path, status) => {
    for (let attempt = 0; attempt < 5; attempt++) {
      const answer = await post(path, server.secretKey);
      expect([answer.status, typeof (await answer.json()).error]).toEqual([status, "string"]);
    }
  });

  it("gets a response instead of a reset connection: with a wrong key", async () => {
    for (let attempt = 0; attempt < 5; attempt++) {
      expect((await post("/api/v1/tasks/hello/trigger", "tr_prod_wrong")).status).toBe(401);
    }
  });
});
