import { createHash, randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type Answer, expected, HttpClient } from "../http-client.ts";
import { load } from "../load.ts";
import type { AcmeServer } from "../systems/acme-process.ts";

/** Nothing but the queues is to hold anything back. */
const UNLIMITED = 100_000;

export interface TriggerOptions {
  concurrencyKey?: string;
  tags?: string[];
}

/** An environment of its own with one task, in a queue with `partitions` partitions. */
export class Place {
  readonly #http: HttpClient;
  readonly secretKey: string;

  private constructor(http: HttpClient, secretKey: string) {
    this.#http = http;
    this.secretKey = secretKey;
  }

  static async create(server: AcmeServer, folder: string, partitions: number): Promise<Place> {
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
    return new Place(
      new HttpClient(server.access.apiUrl, { authorization: `Bearer ${secretKey}` }),
      secretKey,
    );
  }

  async trigger(options: TriggerOptions = {}): Promise<void> {
    expected(await this.tryTrigger(options), 200);
  }

  /** Whatever the server answers. */
  tryTrigger(options: TriggerOptions = {}): Promise<Answer> {
    return this.#http.post("/api/v1/tasks/task/trigger", JSON.stringify({ payload: { n: 1 }, options }));
  }

  /** The newest runs with a tag. */
  async listRuns(tag: string, count: number): Promise<{ id: string; isCompleted: boolean }[]> {
    const query = `filter[tag]=${encodeURIComponent(tag)}&page[size]=${count}`;
    const answer = await this.#http.get(`/api/v1/runs?${query}`);
    return (JSON.parse(expected(answer, 200)) as { data: { id: string; isCompleted: boolean }[] }).data;
  }

  async pause(action: "pause" | "resume"): Promise<void> {
    const body = JSON.stringify({ type: "task", action });
    expected(await this.#http.post("/api/v1/queues/task/pause", body), 200);
  }

  close = (): Promise<void> => this.#http.close();
}

/** Places side by side: each takes some requests to set up. */
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
