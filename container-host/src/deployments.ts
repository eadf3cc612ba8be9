import { createHash } from "node:crypto";
import type { HostDeployment } from "@acme/sdk/contract";
import type { WorkerApi } from "./api.ts";
import type { Bundles } from "./bundles.ts";

/** A deployment of which all is here that a runtime needs. */
export interface ReadyDeployment {
  deployment: HostDeployment;
  bundlePath: string;
  /** Tells apart runtimes that were started with other variables. */
  envHash: string;
}

/** How long variables may be out of date. */
const FRESH_MS = 30_000;
const MAX_KEPT = 1_000;

/** Deployments by id. What is known is given at once and refreshed beside, so that runs never wait for a refresh. */
export class Deployments {
  readonly #api: Pick<WorkerApi, "deployment">;
  readonly #bundles: Bundles;
  readonly #known = new Map<string, { ready: ReadyDeployment; at: number }>();
  readonly #loading = new Map<string, Promise<ReadyDeployment>>();

  constructor(api: Pick<WorkerApi, "deployment">, bundles: Bundles) {
    this.#api = api;
    this.#bundles = bundles;
  }

  /** The deployment if it is here already. */
  peek(id: string): ReadyDeployment | undefined {
    const entry = this.#known.get(id);
    if (entry && performance.now() - entry.at > FRESH_MS) {
      entry.at = performance.now();
      // What can't be refreshed stays as it was.
      this.load(id).catch(() => {});
    }
    return entry?.ready;
  }

  /** @throws ApiError, HostError, Error when it can't be had now; asking again tries again */
  load(id: string): Promise<ReadyDeployment> {
    const running = this.#loading.get(id);
    if (running) return running;
    const loading = this.#load(id).finally(() => this.#loading.delete(id));
    this.#loading.set(id, loading);
    return loading;
  }

  async #load(id: string): Promise<ReadyDeployment> {
    const deployment = await this.#api.deployment(id);
    const bundlePath = await this.#bundles.path(deployment.contentHash);
    const variables = Object.entries(deployment.env).sort(([a], [b]) => (a < b ? -1 : 1));
    const envHash = createHash("sha256").update(JSON.stringify(variables)).digest("hex").slice(0, 16);
    const ready = { deployment, bundlePath, envHash };
    this.#known.delete(id);
    this.#known.set(id, { ready, at: performance.now() });
    for (const oldest of this.#known.keys()) {
      if (this.#known.size <= MAX_KEPT) break;
      this.#known.delete(oldest);
    }
    return ready;
  }
}
