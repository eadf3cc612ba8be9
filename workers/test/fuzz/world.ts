import { randomBase36 } from "@acme/sdk/contract";
import { z } from "zod";
import { issueToken } from "../../src/auth/tokens.ts";
import {
  ADMIN_TOKEN,
  call,
  callAsHost,
  deployTasks,
  HOST_TOKEN,
  hostCredential,
  METRICS_TOKEN,
  newProject,
  type Project,
  SIGNING,
} from "../client.ts";
import { type SignedIn, signIn } from "../person.ts";

/** A lease of a run, as a host holds it. */
interface Lease {
  runId: string;
  token: number;
  attempt: number;
  apiToken: string | undefined;
}

const MOST_KNOWN = 200;
const IDS = /\b(?:run|batch|waitpoint|sched|queue|deployment|env|org|packet)_[0-9a-zA-Z]+\b/g;

/** What the requests of a round can refer to: a project with runs, and all ids that the server's answers named. */
export class World {
  readonly project: Project;
  readonly person: SignedIn;
  /** The round's own host, because a round may revoke it. */
  readonly #hostId = `fuzz-${randomBase36(8)}`;
  readonly #ids = new Map<string, string[]>();
  readonly #leases: Lease[] = [];

  static async create(): Promise<World> {
    const project = await newProject();
    const tasks = [{ id: "hello" }, { id: "__proto__" }, { id: "tick", triggerSource: "schedule" }];
    const queues = [
      { name: "mail", concurrencyLimit: 2 },
      { name: "split", partitions: 3 },
    ];
    const deployed = await deployTasks(project, tasks, queues);
    if (deployed.status !== 201) throw new Error(JSON.stringify(deployed.body));
    const slug = project.ref.slice("proj_".length);
    const world = new World(project, await signIn(undefined, { organization: slug, role: "owner" }));
    world.#ids.set("version", [deployed.body.version]);
    await world.#seed();
    return world;
  }

  constructor(project: Project, person: SignedIn) {
    this.project = project;
    this.person = person;
  }

  /** Runs, a batch, a token and a schedule to begin with. */
  async #seed(): Promise<void> {
    const { prod } = this.project;
    const options = [
      {},
      { delay: "1h" },
      { queue: { name: "mail" }, concurrencyKey: "a" },
      { tags: ["a", "b"] },
    ];
    const made = await Promise.all([
      ...options.map((option) =>
        call("POST", "/api/v1/tasks/hello/trigger", prod, { payload: { a: 1 }, options: option }),
      ),
      call("POST", "/api/v3/batches", prod, { runCount: 3 }),
      call("POST", "/api/v1/tasks/hello/batch", prod, { items: [{ payload: 1 }, { payload: 2 }] }),
      call("POST", "/api/v1/waitpoints/tokens", prod, { timeout: "1h" }),
      call("POST", "/api/v1/schedules", prod, { task: "tick", cron: "0 9 * * *", deduplicationKey: "k" }),
    ]);
    for (const { body } of made) this.learn(JSON.stringify(body));
    const host = { protocol: 1, hostId: this.#hostId, sessionId: this.#hostId, max: 10, waitMs: 100 };
    const { body } = await callAsHost("dequeue", host);
    this.learn(JSON.stringify(body));
  }

  /** Keeps the ids and leases that an answer names. */
  learn(text: string): void {
    for (const id of text.slice(0, 100_000).match(IDS) ?? []) {
      const prefix = id.slice(0, id.indexOf("_"));
      const known = this.#ids.get(prefix) ?? [];
      if (!known.includes(id)) known.push(id);
      if (known.length > MOST_KNOWN) known.shift();
      this.#ids.set(prefix, known);
    }
    for (const lease of leasesOf(text)) {
      this.#leases.push(lease);
      if (this.#leases.length > MOST_KNOWN) this.#leases.shift();
    }
  }

  /**
   * Returns a value that a property or parameter of this name can have; null if any will do. `n` selects one
   * of several.
   */
  known(name: string, n: number): string | null {
    const one = (list: readonly string[] | undefined): string | null =>
      list && list.length > 0 ? (list[n % list.length] as string) : null;
    const lease = this.#leases[n % Math.max(1, this.#leases.length)];
    switch (name) {
      case "runId":
      case "parentRunId":
        return lease?.runId ?? one(this.#ids.get("run"));
      case "token":
        return lease === undefined ? null : String(lease.token);
      case "apiToken":
        return lease?.apiToken ?? null;
      case "attempt":
        return lease === undefined ? null : String(lease.attempt);
      case "id":
        return one([...this.#ids.values()].flat());
      case "batches.id":
        return one(this.#ids.get("batch"));
      case "tokens.id":
        return one(this.#ids.get("waitpoint"));
      case "schedules.id":
        return one([...(this.#ids.get("sched") ?? []), "k"]);
      case "deployments.id":
        return one(this.#ids.get("deployment"));
      case "task":
      case "taskId":
      case "taskIdentifier":
        return one(["hello", "hello", "tick", "__proto__"]);
      case "queue":
      case "name":
        return one([
          ...(this.#ids.get("queue") ?? []),
          "mail",
          "split",
          "hello",
          "task/hello",
          "task%2Fhello",
        ]);
      case "version":
      case "lockToVersion":
        return one(this.#ids.get("version"));
      case "ref":
        return this.project.ref;
      case "env":
        return one(["prod", "prod", "dev", "staging"]);
      case "slug":
        return this.project.ref.slice("proj_".length);
      case "hostId":
      case "sessionId":
        return this.#hostId;
      case "waitMs":
        return one(["0", "20"]);
      case "wait":
        return one(["0", "0.1"]);
      case "page[after]":
      case "page[before]":
        return one([...(this.#ids.get("run") ?? []), ...(this.#ids.get("waitpoint") ?? [])]);
      default:
        return null;
    }
  }

  /** Headers of one kind of caller. */
  headersOf(scheme: string): Record<string, string> {
    const bearer = (token: string) => ({ authorization: `Bearer ${token}` });
    switch (scheme) {
      case "secretKey":
        return bearer(this.project.prod);
      case "accessToken":
        return bearer(this.project.accessToken);
      case "hostToken":
        return bearer(HOST_TOKEN);
      case "host":
        return bearer(hostCredential(this.#hostId));
      case "adminToken":
        return bearer(ADMIN_TOKEN);
      case "metricsToken":
        return bearer(METRICS_TOKEN);
      case "session":
        return {
          cookie: this.person.cookie,
          origin: "http://acme.test",
          "x-acme-environment": this.#ids.get("env")?.[0] ?? "",
        };
      case "publicToken":
        return bearer(
          issueToken(SIGNING, {
            env: this.project.prodKey,
            kind: "public",
            scopes: ["read:runs", "write:waitpoints", "read:batch"],
            exp: Math.floor(Date.now() / 1000) + 600,
          }),
        );
      default:
        return bearer(randomBase36(24));
    }
  }
}

const Dequeued = z.object({
  runs: z.array(
    z.object({ runId: z.string(), token: z.number(), attempt: z.number(), apiToken: z.string().optional() }),
  ),
});

/** The leases that an answer grants, if it is the answer to a poll. */
function leasesOf(text: string): Lease[] {
  if (!text.startsWith("{")) return [];
  const parsed = Dequeued.safeParse(JSON.parse(text));
  return parsed.success ? parsed.data.runs.map((run) => ({ ...run, apiToken: run.apiToken })) : [];
}
