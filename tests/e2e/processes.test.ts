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

it("a killed process disturbs only its own environments, and comes back with all that was acknowledged", async () => {
  const before = pids();
  const acknowledged = keys.map(() => new Map<string, number>());
  const refusals = keys.map(() => new Set<number>());
  let isOver = false;
  const load = async (index: number): Promise<void> => {
    for (let n = 0; !isOver; n++) {
      const answer = await call("POST", "/api/v1/tasks/echo/trigger", keys[index]!, { payload: n }).catch(
        () => null,
      );
      if (answer?.status === 200) acknowledged[index]!.set(answer.body.id, n);
      // A connection to the killed process ends with it, whichever environment it is for.
      else if (answer) refusals[index]!.add(answer.status);
    }
  };
  const loads = keys.map((_, index) => load(index));
  try {
    await eventually("runs are triggered", () => acknowledged.every(({ size }) => size > 20));
    process.kill(before["worker-1"]!, "SIGKILL");
    await eventually("the process is back", () => {
      const now = pids()["worker-1"];
      return now !== undefined && now !== before["worker-1"] && isAlive(now);
    });
    const sizes = acknowledged.map(({ size }) => size);
    await eventually("both environments take runs", () =>
      acknowledged.every(({ size }, index) => size > sizes[index]! + 20),
    );
  } finally {
    isOver = true;
    await Promise.all(loads);
  }
  expect([...refusals[0]!]).toEqual([]);
  expect(pids()).toMatchObject({ worker: before.worker, host: before.host });
  for (const [index, key] of keys.entries())
    for (const [id, n] of acknowledged[index]!)
      expect(await ended(id, key)).toMatchObject({ status: "COMPLETED", output: n });
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
