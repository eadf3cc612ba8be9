/** A server of several workerd processes: environments of different processes, and the end of one of them. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { LiveClient, type LiveRunsState } from "@acme/sdk/live";
import { afterAll, beforeAll, expect, it } from "vitest";
import { deployTaskFile } from "../support/deploy-task.ts";
import { eventually } from "../support/eventually.ts";
import { type LocalServer, startLocalServer } from "../support/local-server.ts";
import { isAlive } from "../support/processes.ts";

const TASKS = `
import { task, wait } from "@acme/sdk";
export const echo = task({ id: "echo", run: async (payload: unknown) => payload });
export const parent = task({
  id: "parent",
  run: async (n: number) => {
    await wait.for({ seconds: 1 });
    return echo.triggerAndWait(n).unwrap();
  },
});
`;
const OTHER = {
  organization: { slug: "other", name: "Other" },
  project: { ref: "proj_other1", name: "Other" },
  secretKeys: { prod: "tr_prod_sk_0123456789abcdefghijklmn" },
  accessToken: "tr_pat_of_the_other_organization",
};

let server: LocalServer;
/** The keys of an environment in the first process, and of one in the second. */
let keys: string[];
beforeAll(async () => {
  server = await startLocalServer({ example: false, processes: 2 });
  const { adminToken } = json<{ adminToken: string }>("secrets.json");
  expect((await call("POST", "/admin/v1/bootstrap", adminToken, OTHER)).status).toBe(200);
  await deployTaskFile(server, TASKS);
  const { ref: projectRef } = OTHER.project;
  await deployTaskFile({ ...server, projectRef, accessToken: OTHER.accessToken }, TASKS);
  keys = [server.secretKey, OTHER.secretKeys.prod];
});
afterAll(() => server?.stop());

const json = <T>(file: string): T => JSON.parse(readFileSync(join(server.dataDir, file), "utf8")) as T;
const pids = (): Record<string, number> => json("pids.json");

interface Answer {
  id: string;
  status: string;
  output?: unknown;
  data: { id: string; status: string }[];
  attempts: { status: string }[];
}

/** Opens a connection of its own: the kernel chooses the process that serves it. */
async function call(method: string, path: string, key: string, body?: unknown) {
  const response = await fetch(server.apiUrl + path, {
    method,
    headers: { authorization: `Bearer ${key}`, "content-type": "application/json", connection: "close" },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  return { status: response.status, body: (await response.json()) as Answer };
}

async function trigger(task: string, key: string, payload: unknown): Promise<string> {
  const { status, body } = await call("POST", `/api/v1/tasks/${task}/trigger`, key, { payload });
  if (status !== 200) throw new Error(`${task}: ${status} ${JSON.stringify(body)}`);
  return body.id;
}

const ended = (id: string, key: string): Promise<Answer> =>
  eventually(`${id} ends`, async () => {
    const { body } = await call("GET", `/api/v3/runs/${id}`, key);
    return /COMPLETED|FAILED|CRASHED|SYSTEM_FAILURE/.test(body.status) && body;
  });

const listed = async (key: string): Promise<string[]> =>
  (await call("GET", "/api/v1/runs?page[size]=100", key)).body.data.map(({ id }) => id);

it("each production environment has a process of its own, and any process serves it", async () => {
  const { environments } = json<{ environments: Record<string, { process: number; type: string }> }>(
    "placements.json",
  );
  const production = Object.values(environments).filter(({ type }) => type === "PRODUCTION");
  expect(production.map(({ process }) => process)).toEqual([0, 1]);

  const clients = keys.flatMap((accessToken) =>
    Array.from({ length: 6 }, () => new LiveClient({ baseURL: server.apiUrl, accessToken })),
  );
  const states: LiveRunsState[] = [];
  for (const [index, client] of clients.entries())
    client.runs({}, (state) => {
      states[index] = state;
    });
  try {
    for (const [index, key] of keys.entries()) {
      const ids = await Promise.all(Array.from({ length: 8 }, (_, n) => trigger("parent", key, n)));
      for (const [n, id] of ids.entries())
        expect(await ended(id, key)).toMatchObject({ status: "COMPLETED", output: n });
      const other = await call("GET", `/api/v3/runs/${ids[0]}`, keys[1 - index]!);
      expect(other.status).toBe(404);
      await eventually("the list has the runs", async () => {
        const rows = await listed(key);
        return ids.every((id) => rows.includes(id));
      });
      const watching = states.slice(index * 6, index * 6 + 6);
      expect(watching).toHaveLength(6);
      for (let socket = index * 6; socket < index * 6 + 6; socket++)
        await eventually(`socket ${socket} shows that they completed`, () => {
          const shown = states[socket]?.runs ?? [];
          return ids.every((id) => shown.some((run) => run.id === id && run.status === "COMPLETED"));
        });
    }
  } finally {
    for (const client of clients) client.close();
  }
});

/** Clients of each environment, which trigger one run after another. */
const CLIENTS = 4;

it("kills: of a process, which disturbs only its own environments, and of each other part; nothing acknowledged is lost", async () => {
  const acknowledged = keys.map(() => new Map<string, string>());
  const refusals = keys.map(() => new Set<number>());
  let isOver = false;
  const client = async (index: number, name: number): Promise<void> => {
    for (let n = 0; !isOver; n++) {
      const payload = `${name}-${n}`;
      // Repeated until it is acknowledged, as the SDK does.
      for (let isDone = false; !isDone && !isOver; ) {
        const body = { payload, options: { idempotencyKey: payload } };
        const path = "/api/v1/tasks/echo/trigger";
        const answer = await call("POST", path, keys[index]!, body).catch(() => null);
        isDone = answer?.status === 200;
        if (answer && isDone) acknowledged[index]!.set(payload, answer.body.id);
        // A connection to a killed process ends with it, whichever environment it is for.
        else if (answer) refusals[index]!.add(answer.status);
      }
    }
  };
  const progress = (what: string): Promise<boolean> => {
    const sizes = acknowledged.map(({ size }) => size);
    return eventually(what, () => acknowledged.every(({ size }, index) => size > sizes[index]! + 20));
  };
  const clients = keys.flatMap((_, index) => Array.from({ length: CLIENTS }, (_, n) => client(index, n)));
  try {
    await progress("runs are triggered");
    for (const part of ["worker-1", "worker", "host"]) {
      const before = pids();
      process.kill(before[part]!, "SIGKILL");
      await eventually(`${part} is back`, () => pids()[part] !== before[part] && isAlive(pids()[part]!));
      await progress(`after the end of ${part}, both environments take runs`);
      if (part === "worker-1") expect([...refusals[0]!]).toEqual([]);
      for (const [other, pid] of Object.entries(before))
        if (other !== part) expect([other, pids()[other]]).toEqual([other, pid]);
    }
  } finally {
    isOver = true;
    await Promise.all(clients);
  }
  for (const [index, key] of keys.entries()) {
    const runs = [...acknowledged[index]!];
    expect(new Set(runs.map(([, id]) => id)).size).toBe(runs.length);
    for (let start = 0; start < runs.length; start += 20)
      await Promise.all(
        runs.slice(start, start + 20).map(async ([payload, id]) => {
          expect(await ended(id, key)).toMatchObject({ status: "COMPLETED", output: payload });
          const { body } = await call("GET", `/api/v1/runs/${id}/attempts`, key);
          expect(body.attempts.filter(({ status }) => status === "COMPLETED")).toHaveLength(1);
        }),
      );
  }
});

it("is started again with more processes: each environment is where it was", async () => {
  const { dataDir } = server;
  const ids = await Promise.all(keys.map((key) => trigger("echo", key, "before")));
  await server.stop({ keepData: true });
  server = await startLocalServer({ example: false, dataDir, processes: 3 });
  for (const [index, id] of ids.entries())
    expect(await ended(id, keys[index]!)).toMatchObject({ status: "COMPLETED", output: "before" });
  for (const key of keys)
    expect(await ended(await trigger("parent", key, 1), key)).toMatchObject({
      status: "COMPLETED",
      output: 1,
    });
});
