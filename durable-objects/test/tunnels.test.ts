import { TUNNEL_CLOSE } from "@acme/sdk/contract";
import { describe, expect, it } from "vitest";
import type { PollResult } from "../src/dispatcher/rpc.ts";
import { type SavedTunnel, type TunnelSocket, Tunnels } from "../src/dispatcher/tunnels.ts";
import type { LeasedRun } from "../src/queue/rpc.ts";

const PRINCIPAL = {
  environmentKey: "dev00000",
  environmentId: "env_1",
  proof: "key abc",
  hostId: "dev.dev00000.machine",
  name: "ada's machine",
};
const DEQUEUE = { hostId: PRINCIPAL.hostId, sessionId: "session", max: 5, waitMs: 30_000, protocol: 1 };

/** A tunnel with a virtual clock, whose machine has asked for runs. */
async function aTunnel() {
  let now = 1_000_000;
  let answer: ((result: PollResult) => void) | undefined;
  const asked: string[] = [];
  const givenBack: LeasedRun[] = [];
  const state = { valid: true as boolean | Error };
  const tunnels = new Tunnels({
    now: () => now,
    poll(_request, answered) {
      answer = answered;
      return () => {};
    },
    giveBack: (runs) => void givenBack.push(...runs),
    endOthers() {},
    async hostSeen() {},
    disconnected() {},
    dequeueResponse: (_hostId, { runs }) => JSON.stringify({ runs: runs.map(({ runId }) => runId) }),
    applyReport: () => Promise.reject(new Error("Nothing is reported")),
    deployment: async () => null,
    async isValid({ proof }) {
      asked.push(proof);
      if (state.valid instanceof Error) throw state.valid;
      return state.valid;
    },
  });
  const sent: { id: number; status: number; code?: string; body?: { runs: string[] } }[] = [];
  const closed: [number, string][] = [];
  const socket: TunnelSocket = {
    send: (text) => void sent.push(JSON.parse(text)),
    close: (code, reason) => void closed.push([code, reason]),
    save: (_: SavedTunnel) => true,
  };
  tunnels.open(socket, { principal: PRINCIPAL, takeOver: false });
  let lastId = 0;
  return {
    state,
    asked,
    givenBack,
    sent,
    closed,
    tunnels,
    passes: (ms: number) => {
      now += ms;
    },
    /** The machine asks for runs, and its queue has one. */
    async delivers(runId: string) {
      lastId += 1;
      await tunnels.message(socket, JSON.stringify({ id: lastId, call: "dequeue", body: DEQUEUE }));
      const run = { runId } as LeasedRun;
      answer?.({ runs: [run], notices: [], now });
      await new Promise((resolve) => setTimeout(resolve));
      return run;
    },
  };
}

const runsOf = (sent: { body?: { runs: string[] } }[]) => sent.flatMap(({ body }) => body?.runs ?? []);

describe("a tunnel whose credential was revoked", () => {
  it("gets no run any more 10 s later, and ends with why", async () => {
    const tunnel = await aTunnel();
    tunnel.state.valid = false;
    tunnel.passes(9_999);
    await tunnel.delivers("run_1");
    expect(runsOf(tunnel.sent)).toEqual(["run_1"]);
    expect(tunnel.asked).toEqual([]);
    tunnel.passes(1);
    const run = await tunnel.delivers("run_2");
    expect(tunnel.asked).toEqual(["key abc"]);
    expect(runsOf(tunnel.sent)).toEqual(["run_1"]);
    expect(tunnel.sent.at(-1)).toMatchObject({ id: 0, status: 401, code: "credential_ended" });
    expect(tunnel.closed).toEqual([[TUNNEL_CLOSE.unauthorized, "credential_ended"]]);
    expect(tunnel.givenBack).toContain(run);
    expect(tunnel.tunnels.size).toBe(0);
  });

  it("is checked once in 10 s, and keeps working while the check fails", async () => {
    const tunnel = await aTunnel();
    tunnel.passes(10_000);
    for (const id of ["run_1", "run_2", "run_3"]) await tunnel.delivers(id);
    expect(tunnel.asked).toHaveLength(1);
    tunnel.passes(10_000);
    tunnel.state.valid = new Error("The database is unreachable");
    await tunnel.delivers("run_4");
    tunnel.state.valid = false;
    await tunnel.delivers("run_5");
    expect(tunnel.asked).toHaveLength(3);
    expect(runsOf(tunnel.sent)).toEqual(["run_1", "run_2", "run_3", "run_4"]);
    expect(tunnel.closed).toHaveLength(1);
  });
});
