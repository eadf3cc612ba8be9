import { env, exports } from "cloudflare:workers";
import fc from "fast-check";
import { expect, it } from "vitest";
import { call } from "./client.ts";
import {
  type Document,
  type FuzzRequest,
  requests,
  requestTo,
  type Target,
  targetsOf,
} from "./fuzz/requests.ts";
import { World } from "./fuzz/world.ts";

/**
 * Sends requests derived from the API's own document to all of its routes, including those of hosts. Most
 * requests are valid except for one field, which has a value chosen for it; the others are valid and invalid
 * in every way. The seed is derived from the commit; `FUZZ_SEED=N` sets another, `FUZZ_ROUNDS=N` makes the
 * test longer. Whatever is sent, the server says what is wrong with it: no response is a 500 (a 501 names
 * what the server would need), and everything that was accepted can be read.
 */
const { FUZZ_SEED, FUZZ_ROUNDS } = env;
const seed = Number(FUZZ_SEED);
const rounds = Number(FUZZ_ROUNDS || 12);
/** Requests with one wrong field, which leave the round its keys and its project. */
const KEEPING_PER_ROUND = 280;
/** Requests that are wrong in any way, and those that may end the round's access to its project. */
const OTHERS_PER_ROUND = 120;
const REQUESTS_PER_ROUND = KEEPING_PER_ROUND + OTHERS_PER_ROUND;

/** Later requests may be refused before they are validated, because a key or a project is gone. */
const endsAccess = ({ method, operation }: Target): boolean =>
  method === "delete" || /delete|revoke|rotate|remove|archive|leave|signOut/i.test(operation);

const reads = (key: string): [string, string][] => [
  ["/api/v1/runs?page%5Bsize%5D=100", key],
  ["/api/v1/waitpoints/tokens?page%5Bsize%5D=100", key],
  ["/api/v1/schedules?perPage=100", key],
  ["/api/v1/queues?perPage=100", key],
];

async function send(request: FuzzRequest): Promise<{ status: number; text: string }> {
  const { method, path, headers, body } = request;
  const response = await exports.default.fetch(`http://acme.test${path}`, {
    method,
    headers,
    body,
    redirect: "manual",
  });
  if (response.webSocket) {
    response.webSocket.accept();
    response.webSocket.close();
    return { status: response.status, text: "" };
  }
  if (response.headers.get("content-type")?.includes("event-stream")) {
    await response.body?.cancel();
    return { status: response.status, text: "" };
  }
  return { status: response.status, text: await response.text() };
}

it(`no request of ${rounds * REQUESTS_PER_ROUND} is answered with a 500 (FUZZ_SEED=${seed})`, async () => {
  const { body: document } = await call<Document>("GET", "/openapi.json", null);
  const statuses = new Map<number, number>();
  const failures: string[] = [];
  const operations = new Map<string, number>();
  // Every field has its turn, in an order drawn from the seed.
  const fields = targetsOf(document);
  // Hosts' reports are stored and shown to others, so their fields have twice as many turns.
  const targets = shuffled(
    [...fields, ...fields.filter(({ path }) => path.startsWith("/engine/"))],
    randomOf(seed),
  );
  const [ending, keeping] = [true, false].map((is) => targets.filter((target) => endsAccess(target) === is));
  const turns = { ending: 0, keeping: 0 };
  const check = async (world: World, request: FuzzRequest): Promise<void> => {
    const { status, text } = await send(request);
    statuses.set(status, (statuses.get(status) ?? 0) + 1);
    const [operation] = request.operation.split(" ") as [string];
    if (status < 300) operations.set(operation, (operations.get(operation) ?? 0) + 1);
    if (status < 300) world.learn(text);
    if (status >= 500 && !needsMore(status, text))
      failures.push(`${status} ${describe(request)}\n  → ${text.slice(0, 500)}`);
    else if (status >= 400 && !isFailure(text))
      failures.push(`${status} without a reason: ${describe(request)}\n  → ${text.slice(0, 500)}`);
  };
  // One at a time, because requests use ids from earlier responses.
  for (let round = 0; round < rounds; round++) {
    const world = await World.create();
    const random = randomOf(seed + round);
    for (let n = 0; n < KEEPING_PER_ROUND; n++) {
      const target = keeping![turns.keeping++ % keeping!.length]!;
      await check(world, requestTo(target, document, world, random));
    }
    failures.push(...(await unreadable(world)));
    for (let n = 0; n < OTHERS_PER_ROUND; n++) {
      const step = seed + round * OTHERS_PER_ROUND + n;
      const request =
        n % 2 === 0
          ? (fc.sample(requests(document, world), { seed: step, numRuns: 1 })[0] as FuzzRequest)
          : requestTo(ending![turns.ending++ % ending!.length]!, document, world, random);
      await check(world, request);
    }
    failures.push(...(await unreadable(world)));
  }
  const counts = [...statuses].sort(([a], [b]) => a - b).map(([status, count]) => `${status}: ${count}`);
  console.log(
    `fuzz: seed ${seed}, ${counts.join(", ")}; ${turns.keeping + turns.ending} turns of ${targets.length} fields, ${operations.size} operations succeeded at least once`,
  );
  expect(failures).toEqual([]);
}, 500_000);

/** mulberry32. */
function randomOf(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

function shuffled<T>(items: T[], random: () => number): T[] {
  return items
    .map((item) => ({ item, at: random() }))
    .sort((a, b) => a.at - b.at)
    .map(({ item }) => item);
}

const describe = ({ operation, method, path, headers, body }: FuzzRequest): string =>
  `${operation}: ${method} ${path.slice(0, 300)} ${JSON.stringify(headers).slice(0, 300)}\n  ${String(body).slice(0, 1_500)}`;

function isFailure(text: string): boolean {
  try {
    const { error, code, message } = JSON.parse(text) as Record<string, unknown>;
    return (typeof error === "string" && typeof code === "string") || typeof message === "string";
  } catch {
    return false;
  }
}

/** The answer of an operation that the server of the tests is not set up for. */
const needsMore = (status: number, text: string): boolean =>
  status === 501 && /"code":"needs_\w+"/.test(text);

/** Returns the data of the round that can't be read. */
async function unreadable(world: World): Promise<string[]> {
  const failures: string[] = [];
  const { prod, dev } = world.project;
  const read = async (path: string, key: string): Promise<string> => {
    const { status, text } = await send({
      operation: "",
      method: "GET",
      path,
      headers: { authorization: `Bearer ${key}` },
      body: undefined,
    });
    // A key may have been revoked on the way, and a project deleted.
    if (status >= 500) failures.push(`${status} on reading ${path}: ${text.slice(0, 500)}`);
    return text;
  };
  for (const [path, key] of [...reads(prod), ...reads(dev)]) {
    const text = await read(path, key);
    for (const id of new Set(text.match(/\brun_[0-9a-z]+\b/g) ?? [])) {
      for (const what of [`/api/v3/runs/${id}`, `/api/v1/runs/${id}/events`, `/api/v1/runs/${id}/attempts`]) {
        await read(what, key);
      }
    }
    for (const id of new Set(text.match(/\bwaitpoint_[0-9a-z]+\b/g) ?? [])) {
      await read(`/api/v1/waitpoints/tokens/${id}`, key);
    }
  }
  return failures;
}
