import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, expect, it } from "vitest";
import { waitForToken } from "../src/api/access-tokens-api.ts";

const TOKEN = {
  id: "pat_1",
  name: "ada@laptop",
  start: "tr_pat_abcd",
  scopes: ["read"],
  organization: { id: "org_1", slug: "acme", name: "Acme" },
  createdAt: "2026-11-27T12:00:00.000Z",
  lastUsedAt: null,
  expiresAt: null,
  token: "tr_pat_abcdefgh",
};
const LOGIN = {
  deviceCode: "d",
  userCode: "BCDF-GHJK",
  verificationUri: "http://acme.test/device",
  verificationUriComplete: "http://acme.test/device?code=BCDF-GHJK",
  expiresIn: 600,
  interval: 5,
};

let server: Server | undefined;
afterEach(() => server?.close());

type Reply = { status: number; code?: string } | "token" | "reset";

/** A server that gives these answers in turn, and a clock that jumps ahead whenever the code sleeps. */
async function waiting(replies: Reply[]) {
  const left = [...replies];
  server = createServer((request, response) => {
    const reply = left.shift() ?? "token";
    if (reply === "reset") {
      request.socket.destroy();
      return;
    }
    const status = reply === "token" ? 200 : reply.status;
    const body = reply === "token" ? TOKEN : { error: `refused: ${reply.code}`, code: reply.code };
    response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
  });
  await new Promise<void>((resolve) => server?.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  let at = 0;
  const slept: number[] = [];
  const clock = {
    now: () => at,
    sleep: async (ms: number) => {
      slept.push(ms / 1000);
      at += ms;
    },
  };
  return { slept, result: waitForToken(`http://127.0.0.1:${port}`, LOGIN, clock) };
}

const pending = { status: 400, code: "authorization_pending" };

it("polls at the interval until there is a token, and more slowly when the server demands it", async () => {
  const { result, slept } = await waiting([pending, { status: 400, code: "slow_down" }, pending]);
  expect((await result).token).toBe(TOKEN.token);
  expect(slept).toEqual([5, 5, 10, 10]);
});

it("continues when the server is unreachable for a moment", async () => {
  const { result, slept } = await waiting(["reset", { status: 503 }, { status: 429, code: "too_many" }]);
  expect((await result).token).toBe(TOKEN.token);
  expect(slept).toEqual([5, 5, 5, 10]);
});

it.each([
  ["access_denied", "refused in the browser"],
  ["expired_token", "in time"],
  ["invalid_grant", "refused: invalid_grant"],
])("ends at %s", async (code, message) => {
  const { result, slept } = await waiting([pending, { status: 400, code }]);
  await expect(result).rejects.toThrow(message);
  expect(slept).toHaveLength(2);
});

it("gives up when both codes have expired", async () => {
  const { result, slept } = await waiting(Array.from({ length: 1_000 }, () => pending));
  await expect(result).rejects.toThrow("The login was not approved in time");
  expect(slept).toHaveLength(120);
});
