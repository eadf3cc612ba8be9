import { createHash, randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type Answer, expected, HttpClient } from "../http-client.ts";
import { load } from "../load.ts";
import type { AcmeServer } from "../systems/acme-process.ts";

/** High enough that only the queues limit anything. */
const UNLIMITED = 100_000;

/** Items of a batch. */
const BATCH = 500;

export interface ListedRun {
  id: string;
  isCompleted: boolean;
  createdAt: string;
  updatedAt: string;
}

export interface TriggerOptions {
  concurrencyKey?: string;
  tags?: string[];
}

/** Creates an environment with one task, in a queue with `partitions` partitions. */
export class Place {
  readonly #http: HttpClient;
  readonly secretKey: string;
  /** Slug of its organization. */
  readonly organization: string;
  readonly projectRef: string;

  private constructor(
    http: HttpClient,
    { secretKey, organization, projectRef }: { secretKey: string; organization: string; projectRef: string },
  ) {
    this.#http = http;
    this.secretKey = secretKey;
    this.organization = organization;
    this.projectRef = projectRef;
  }

  static async create(
    server: Pick<AcmeServer, "access">,
    folder: string,
    partitions: number,
  ): Promise<Place> {
    const { adminToken } = JSON.parse(readFileSync(join(folder, "secrets.json"), "utf8")) as {
      adminToken: string;
    };
    const unique = randomBytes(16).toString("hex");
    const [secretKey, accessToken, ref] = [`tr_prod_${unique}`, `tr_pat_${unique}`, `proj_${unique}`];
    const admin = new HttpClient(server.access.apiUrl, { authorization: `Bearer ${adminToken}` });
    const developer = new HttpClient(server.access.apiUrl, { authorization: `Bearer ${accessToken}` });
    try {
      const project = { ref, name: unique };
      const body = {
        organization: { slug: unique, name: unique },
        project,
        secretKeys: { prod: secretKey },
        accessToken,
      };
      expected(await admin.post("/admin/v1/bootstrap", JSON.stringify(body)), 200);
      const settings = JSON.stringify({ concurrencyLimit: UNLIMITED });
      expected(await admin.put(`/admin/v1/projects/${ref}/prod/settings`, settings), 200);
      const bundle = "export {};";
      const contentHash = createHash("sha256").update(bundle).digest("hex");
      const base = `/api/v1/projects/${ref}/prod`;
      await developer.put(`${base}/bundles/${contentHash}`, bundle);
      const tasks = [{ id: "task", filePath: "task.ts", queue: { partitions } }];
      const manifest = { tasks, queues: [] };
      expected(await developer.post(`${base}/deployments`, JSON.stringify({ contentHash, manifest })), 201);
    } finally {
      await Promise.all([admin.close(), developer.close()]);
    }
    const http = new HttpClient(server.access.apiUrl, { authorization: `Bearer ${secretKey}` });
    return new Place(http, { secretKey, organization: unique, projectRef: ref });
  }

  async trigger(options: TriggerOptions = {}): Promise<void> {
    expected(await this.tryTrigger(options), 200);
  }

  /** Whatever the server answers. */
  tryTrigger(options: TriggerOptions = {}): Promise<Answer> {
    return this.#http.post("/api/v1/tasks/task/trigger", JSON.stringify({ payload: { n: 1 }, options }));
  }

  /** `count` runs that are queued, created in batches. */
  async backlog(count: number): Promise<void> {
    for (let left = count; left > 0; left -= BATCH) {
      const items = Array.from({ length: Math.min(BATCH, left) }, (_, n) => ({
        task: "task",
        payload: { n },
      }));
      expected(await this.#http.post("/api/v2/tasks/batch", JSON.stringify({ items })), 202);
    }
  }

  /** The newest runs with a tag. */
  async listRuns(tag: string, count: number): Promise<ListedRun[]> {
    const query = `filter[tag]=${encodeURIComponent(tag)}&page[size]=${count}`;
    const answer = await this.#http.get(`/api/v1/runs?${query}`);
    return (JSON.parse(expected(answer, 200)) as { data: ListedRun[] }).data;
  }

  async pause(action: "pause" | "resume"): Promise<void> {
    const body = JSON.stringify({ type: "task", action });
    expected(await this.#http.post("/api/v1/queues/task/pause", body), 200);
  }

  close = (): Promise<void> => this.#http.close();
}

/** Creates places concurrently: each takes some requests to set up. */
export async function createPlaces(
  server: AcmeServer,
  folder: string,
  options: { count: number; partitions: number },
): Promise<Place[]> {
  const places: Place[] = [];
  await load(8, options.count, async () => {
    places.push(await Place.create(server, folder, options.partitions));
  });
  return places;
}
