import { isDeepStrictEqual } from "node:util";
import type {
  EnvironmentRef,
  LiveDependencies,
  LiveFailure,
  LivePrincipal,
  LiveRpc,
  RunRecord,
  RunsPage,
} from "@acme/durable-objects/rpc";
import { parseRunId, publicStatus } from "@acme/sdk/contract";
import { LIVE_TOKEN_SUBPROTOCOL, type LiveFilter } from "@acme/sdk/contract/live";
import { LiveClient, type LiveEnvironment, type LiveRun, type LiveRunState } from "@acme/sdk/live";
import { LIVE_PRINCIPAL_HEADER } from "../../durable-objects/src/live/access.ts";
import { newestFirst } from "../../durable-objects/src/live/filter.ts";
import { dataOf, liveRun } from "../../durable-objects/src/live/run-data.ts";
import type { ObjectBindings } from "../../durable-objects/src/routing/stubs.ts";
import { summaryOf } from "../../workers/src/views/run-view.ts";
import { type Feeds, type SeenLine, type SeenRecord, STREAM_KEYS } from "./feeds.ts";
import type { QuerySide } from "./query-side.ts";
import type { Scene } from "./scene.ts";
import { ClientSocket } from "./sockets.ts";

/** Polls are held for at most this long. */
const HOLD_MS = 45_000;
/** The maximum number of runs that a client watches while they write. */
const MOST_WRITERS = 30;
/** More runs than any scenario has. */
const ALL = 1_000;

/** What a LiveObject needs from its Worker. */
export const liveDependencies = (querySide: QuerySide): LiveDependencies<ObjectBindings> => ({
  listRuns: (_, environmentKey, filter, limit) => querySide.listRuns(environmentKey, filter, limit),
  countUnfinished: (_, environmentKey) => querySide.countUnfinished(environmentKey),
  summaryOf,
  mostSockets: () => ({ each: 1_000, all: 1_000 }),
  authenticate: async (_, token) => principalOf(token),
  isValid: async () => true,
});

const newToken = (environmentKey: string, lifetimeMs: number): string =>
  `${environmentKey}.${Date.now() + lifetimeMs}`;

function principalOf(token: string): LivePrincipal | LiveFailure {
  const [key = "", expiresAt] = token.split(".");
  if (Number(expiresAt) <= Date.now())
    return { error: { status: 401, code: "invalid_api_key", message: "The token has expired." } };
  const environment = { key, id: `id of ${key}`, slug: "prod" };
  return { environment, scopes: ["read:runs"], expiresAt: Number(expiresAt), proof: "token" };
}

/** A watcher, whose state must converge to the owners' state. */
interface Listener {
  /** Returns the difference from the state that follows from the owners' runs; null if there is none. */
  difference(owners: RunRecord[]): string | null;
}

interface Watching {
  listener: Listener;
  unsubscribe(): void;
}

interface Wanted {
  filter: LiveFilter;
  wants(run: RunRecord): boolean;
  /** True: a run that matches never stops matching. */
  isLasting: boolean;
}

/** Listeners of all environments: the real client over sockets that break, and clients that poll. */
export class Listeners {
  readonly #scene: Scene;
  readonly #feeds: Feeds;
  readonly #listeners = new Set<Listener>();
  readonly #clients = new Set<LiveClient>();
  /** Clients that stay connected to the end, with the key of their environment. */
  readonly #staying = new Map<LiveClient, string>();
  /** How many writers each of them watches: a connection allows only a limited number of subscriptions. */
  readonly #writers = new Map<LiveClient, number>();
  #over = false;

  constructor(scene: Scene, feeds: Feeds) {
    this.#scene = scene;
    this.#feeds = feeds;
  }

  /** Listeners connect during the storm. */
  start(): void {
    const { world, scenario, environments } = this.#scene;
    this.#feeds.onWriter = (runId, keys) => void this.#watchWriter(runId, keys);
    for (const environment of environments) {
      const at = () => world.between(0, scenario.stormMs * 0.8);
      for (let count = world.between(1, 4); count > 0; count--)
        world.after(at(), () => void this.#connect(environment));
      for (let count = world.between(0, 2); count > 0; count--)
        world.after(at(), () => void this.#pollRuns(environment));
      if (world.chance(0.5)) world.after(at(), () => void this.#pollRun(environment));
    }
  }

  /** Returns a difference between a listener and the owners; null if there is none. */
  difference(owners: RunRecord[]): string | null {
    for (const listener of this.#listeners) {
      const difference = listener.difference(owners);
      if (difference !== null) return difference;
    }
    return null;
  }

  stop(): void {
    this.#over = true;
    for (const client of this.#clients) client.close();
  }

  /** One client with several subscriptions, some of which it gives up. */
  async #connect(environment: EnvironmentRef): Promise<void> {
    const { world } = this.#scene;
    const WebSocket = this.#socketsTo(environment.key);
    const client = new LiveClient({
      baseURL: "http://simulated",
      accessToken: () => newToken(environment.key, world.between(35_000, 300_000)),
      WebSocket,
    });
    this.#clients.add(client);
    const stays = !world.chance(0.15);
    if (stays) this.#staying.set(client, environment.key);
    const watched: Listener[] = [];
    for (let count = world.between(1, 5); count > 0 && !this.#over; count--) {
      await world.sleep(world.between(0, 20_000));
      const { listener, unsubscribe } = this.#subscribe(client, environment);
      if (world.chance(0.2)) {
        await world.sleep(world.between(0, 10_000));
        unsubscribe();
      } else watched.push(listener);
    }
    // Some disconnect; the others stay to the end.
    if (stays) for (const listener of watched) this.#listeners.add(listener);
    else client.close();
  }

  /** Makes clients that stay watch the log and the streams of a run while it writes them. */
  async #watchWriter(runId: string, keys: readonly string[]): Promise<void> {
    const { world } = this.#scene;
    const of = parseRunId(runId)?.environmentKey;
    const clients = [...this.#staying].filter(([, key]) => key === of).map(([client]) => client);
    if (clients.length === 0) return;
    await world.sleep(world.between(0, 2_000));
    if (this.#over) return;
    const client = world.pick(clients);
    const writers = (this.#writers.get(client) ?? 0) + 1;
    if (writers > MOST_WRITERS) return;
    this.#writers.set(client, writers);
    if (world.chance(0.7)) this.#listeners.add(this.#watchLog(client, runId).listener);
    for (const key of keys)
      if (world.chance(0.5)) this.#listeners.add(this.#watchStream(client, runId, key).listener);
  }

  #subscribe(client: LiveClient, environment: EnvironmentRef): Watching {
    const { world, scenario } = this.#scene;
    const draw = world.random();
    if (draw < 0.1) {
      let state: LiveEnvironment | null = null;
      const { unsubscribe } = client.environment((next) => {
        state = next;
      }, this.#onError("an environment"));
      const difference = () =>
        unlike("the environment's counts", state, {
          counts: {},
          concurrencyLimit: scenario.environmentLimit,
          burstFactor: state?.burstFactor,
          paused: false,
        });
      return { listener: { difference }, unsubscribe };
    }
    if (draw > 0.65) {
      const written = this.#feeds.runs.filter((id) => parseRunId(id)?.environmentKey === environment.key);
      const run = world.chance(0.7) && written.length > 0 ? world.pick(written) : this.#someRun(environment);
      if (run !== undefined && draw > 0.82) return this.#watchLog(client, run);
      if (run !== undefined) return this.#watchStream(client, run, world.pick(STREAM_KEYS));
    }
    const runId = draw < 0.35 ? this.#someRun(environment) : undefined;
    if (runId !== undefined) {
      let state: LiveRunState | null = null;
      const listener = (next: LiveRunState) => {
        state = next;
      };
      const { unsubscribe } = client.run(runId, listener, this.#onError(runId));
      const difference = (owners: RunRecord[]) => {
        const owner = owners.find(({ id }) => id === runId);
        return unlike(runId, state?.run, owner && shown(owner, true));
      };
      return { listener: { difference }, unsubscribe };
    }
    const wanted = this.#wanted(environment);
    const limit = wanted.isLasting && world.chance(0.3) ? world.between(1, 10) : ALL;
    const data = world.chance(0.3);
    // Follows from what was drawn, so that the course of a seed is the same with and without it.
    const left = !data && JSON.stringify(wanted.filter).length % 2 === 0;
    let state: LiveRun[] | null = null;
    /** Every run that was sent since the last snapshot, also of those beyond the limit and of those that left. */
    let followed = new Map<string, LiveRun>();
    const target = { filter: wanted.filter, limit, data, left };
    const name = `runs ${JSON.stringify(target)} of ${environment.key}`;
    const { unsubscribe } = client.runs(
      target,
      ({ runs, update }) => {
        state = runs;
        if (update.kind === "snapshot") followed = new Map();
        for (const run of update.runs) followed.set(run.id, run);
        for (const run of update.left) if (followed.has(run.id)) followed.set(run.id, run);
      },
      this.#onError(name),
    );
    const difference = (owners: RunRecord[]) => {
      const expected = matching(owners, environment, wanted).slice(0, limit);
      return (
        unlikeRuns(
          name,
          state,
          expected.map((run) => shown(run, data)),
        ) ?? (left ? this.#unlikeFollowed(name, followed, owners) : null)
      );
    };
    return { listener: { difference }, unsubscribe };
  }

  #unlikeFollowed(name: string, followed: Map<string, LiveRun>, owners: RunRecord[]): string | null {
    for (const [runId, run] of followed) {
      const owner = owners.find(({ id }) => id === runId);
      // A run that is over its retention is gone, which is not reported.
      const difference = owner && unlike(`${runId} of ${name}`, run, shown(owner, false));
      if (difference) return difference;
    }
    return null;
  }

  #watchLog(client: LiveClient, runId: string): Watching {
    const seen: SeenLine[] = [];
    const { unsubscribe } = client.logs(
      runId,
      (lines) => {
        for (const { seq, message } of lines) seen.push([seq, message]);
      },
      this.#onError(`the log of ${runId}`),
    );
    return { listener: { difference: () => this.#feeds.logDifference(runId, seen) }, unsubscribe };
  }

  #watchStream(client: LiveClient, runId: string, key: string): Watching {
    const { world } = this.#scene;
    const isSlow = world.chance(0.3);
    const seen: SeenRecord[] = [];
    let hasEnded = false;
    const { unsubscribe } = client.stream(
      runId,
      key,
      async (chunks) => {
        if (isSlow) await world.sleep(world.between(0, 500));
        for (const { index, chunk } of chunks) seen.push([index, chunk]);
      },
      {
        onEnd: () => {
          hasEnded = true;
        },
        ...this.#onError(`a stream of ${runId}`),
      },
    );
    const difference = (owners: RunRecord[]) =>
      this.#feeds.streamDifference(
        owners.find(({ id }) => id === runId),
        key,
        seen,
        hasEnded,
      );
    return { listener: { difference }, unsubscribe };
  }

  #onError(what: string) {
    return {
      onError: ({ code, message }: Error & { code: string }) =>
        this.#scene.invariants.violations.report(8, `a listener to ${what} was refused: ${code} ${message}`),
    };
  }

  /** A client that polls a list, as the published clients do. Rows never leave the list. */
  async #pollRuns(environment: EnvironmentRef): Promise<void> {
    const scene = this.#scene;
    const { world } = scene;
    let wanted = this.#wanted(environment);
    while (!wanted.isLasting) wanted = this.#wanted(environment);
    const runs = new Map<string, RunRecord>();
    const name = `polled runs ${JSON.stringify(wanted.filter)} of ${environment.key}`;
    this.#listeners.add({
      difference: (owners) => {
        const state = [...runs.values()].sort(newestFirst).map((run) => shown(run, true));
        const expected = matching(owners, environment, wanted).map((run) => shown(run, true));
        return unlikeRuns(name, state, expected);
      },
    });
    let position: string | null = null;
    while (!this.#over) {
      const from: string | null = position;
      const holdMs = world.between(0, HOLD_MS);
      const page: RunsPage = await scene.persist(() =>
        this.#live(environment).waitForRuns(wanted.filter, ALL, from, holdMs),
      );
      for (const run of page.runs) runs.set(run.id, run);
      position = page.position;
      await world.sleep(world.between(1, 200));
    }
  }

  async #pollRun(environment: EnvironmentRef): Promise<void> {
    const { world } = this.#scene;
    const runId = this.#someRun(environment);
    if (runId === undefined) return;
    let state: RunRecord | null = null;
    this.#listeners.add({
      difference: (owners) => {
        const owner = owners.find(({ id }) => id === runId);
        return unlike(`polled ${runId}`, state && shown(state, true), owner && shown(owner, true));
      },
    });
    while (!this.#over) {
      const after: number = (state as RunRecord | null)?.version ?? -1;
      const holdMs = after < 0 ? 0 : world.between(0, HOLD_MS);
      const run = await this.#scene.persist(() => this.#live(environment).waitForRun(runId, after, holdMs));
      if (run === "missing") this.#scene.invariants.violations.report(8, `a poll does not find ${runId}`);
      else if (run) state = run;
      await world.sleep(world.between(1, 200));
    }
  }

  #live = ({ key }: EnvironmentRef): LiveRpc => this.#scene.platform.stub<LiveRpc>("LIVE", key);

  #someRun({ key }: EnvironmentRef): string | undefined {
    const runs = [...this.#scene.invariants.outcomes.acknowledgedRuns].filter(
      (runId) => parseRunId(runId)?.environmentKey === key,
    );
    return runs.length > 0 ? this.#scene.world.pick(runs) : undefined;
  }

  #wanted({ key }: EnvironmentRef): Wanted {
    const { world, batches } = this.#scene;
    const task = `task-${world.between(0, this.#scene.scenario.queues - 1)}`;
    const tags = [`tag-${world.between(0, 5)}`, `tag-${world.between(0, 5)}`];
    const status = world.pick(["COMPLETED", "EXECUTING", "QUEUED", "CANCELED", "FAILED"] as const);
    const batch = [...batches].filter(([, of]) => of === key)[0]?.[0];
    const wanted: Wanted[] = [
      { filter: {}, wants: () => true, isLasting: true },
      { filter: { tasks: [task] }, wants: (run) => run.task === task, isLasting: true },
      {
        filter: { tags },
        wants: (run) => run.tags.some((tag) => tags.includes(tag)),
        isLasting: true,
      },
      {
        filter: { allTags: tags },
        wants: (run) => tags.every((tag) => run.tags.includes(tag)),
        isLasting: true,
      },
      {
        filter: { statuses: [status, "EXECUTING"] },
        wants: (run) => [status, "EXECUTING"].includes(publicStatus(run.status)),
        isLasting: false,
      },
      {
        filter: { machines: ["small-1x"] },
        wants: (run) => run.machine === "small-1x",
        isLasting: false,
      },
    ];
    if (batch !== undefined)
      wanted.push({ filter: { batch }, wants: (run) => run.batchId === batch, isLasting: true });
    return world.pick(wanted);
  }

  /** WebSockets to an environment's LiveObject, through a Worker that checks the token. */
  #socketsTo(environmentKey: string) {
    const { platform } = this.#scene;
    return class extends ClientSocket {
      protected override async connect(
        protocols: string[],
        client: (frame: { text: string } | { code: number }) => void,
      ) {
        const principal = principalOf((protocols[1] ?? "").slice(LIVE_TOKEN_SUBPROTOCOL.length));
        if ("error" in principal) throw new Error("simulated: the token has expired");
        const headers = new Headers({ [LIVE_PRINCIPAL_HEADER]: JSON.stringify(principal) });
        return platform.connect("LIVE", environmentKey, headers, client);
      }
    };
  }
}

const matching = (owners: RunRecord[], { key }: EnvironmentRef, { wants }: Wanted): RunRecord[] =>
  owners.filter((run) => parseRunId(run.id)?.environmentKey === key && wants(run)).sort(newestFirst);

/** Returns a run as a listener gets it, from its owner's record. */
const shown = (run: RunRecord, data: boolean): LiveRun =>
  JSON.parse(JSON.stringify(liveRun(summaryOf, run, data ? dataOf(run, true) : undefined))) as LiveRun;

function unlike(what: string, state: unknown, expected: unknown): string | null {
  if (isDeepStrictEqual(state ?? null, expected ?? null)) return null;
  return `${what}: a listener has ${JSON.stringify(state)}, and its owner ${JSON.stringify(expected)}`;
}

function unlikeRuns(what: string, state: LiveRun[] | null, expected: LiveRun[]): string | null {
  if (state === null) return `${what}: a listener has no state`;
  const ids = (runs: LiveRun[]) => runs.map(({ id }) => id);
  const missing = ids(expected).filter((id) => !ids(state).includes(id));
  const surplus = ids(state).filter((id) => !ids(expected).includes(id));
  if (missing.length > 0) return `${what}: a listener lacks ${missing}`;
  if (surplus.length > 0) return `${what}: a listener has ${surplus}`;
  for (const [index, run] of expected.entries()) {
    const difference = unlike(`${what}, ${run.id}`, state[index], run);
    if (difference !== null) return difference;
  }
  return null;
}
