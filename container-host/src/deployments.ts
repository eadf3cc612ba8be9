import { createHash } from "node:crypto";
import { type HostDeployment, LIMITS } from "@acme/sdk/contract";
import type { HostApi } from "./api.ts";
import type { Bundles } from "./bundles.ts";
import { HostError } from "./errors.ts";
import type { Executor } from "./executor/executor.ts";
import { Redactor } from "./redactor.ts";

/** A deployment of which all files that a runtime needs are on this machine. */
export interface ReadyDeployment {
  deployment: HostDeployment;
  bundlePath: string;
  /** Id of the deployment's own image on this machine's Engine. */
  image?: string;
  /** Distinguishes runtimes that were started with other variables. */
  envHash: string;
  /** Redacts the values of the environment's secrets in logs and errors. */
  redactor: Redactor;
}

/** After this time a deployment is refreshed in the background; runs use the known one meanwhile. */
const REFRESH_MS = 3_000;
/**
 * An older deployment is not used, so that a changed variable reaches every attempt that starts 10 s later.
 */
const STALE_MS = 8_000;
const MAX_KEPT = 1_000;

/**
 * Caches deployments by id. A known one is returned at once and refreshed in the background, so that runs of
 * a busy environment never wait for a refresh; one that was not used for a while is fetched again.
 */
export class Deployments {
  readonly #api: Pick<HostApi, "deployment" | "bundle">;
  readonly #bundles: Bundles;
  readonly #executor: Pick<Executor, "ensureImage">;
  /** `at`: when its fetch began; `askedAt`: when its last refresh began. */
  readonly #known = new Map<string, { ready: ReadyDeployment; at: number; askedAt: number }>();
  readonly #loading = new Map<string, Promise<ReadyDeployment>>();

  constructor(
    api: Pick<HostApi, "deployment" | "bundle">,
    bundles: Bundles,
    executor: Pick<Executor, "ensureImage">,
  ) {
    this.#api = api;
    this.#bundles = bundles;
    this.#executor = executor;
  }

  /** Returns the deployment if it is cached and not too old. */
  peek(id: string, apiToken?: string): ReadyDeployment | undefined {
    const entry = this.#known.get(id);
    if (!entry) return undefined;
    const now = performance.now();
    if (now - entry.at > STALE_MS) return undefined;
    if (now - entry.askedAt > REFRESH_MS) {
      entry.askedAt = now;
      // If the refresh fails, the deployment is used until it is too old.
      this.load(id, apiToken).catch(() => {});
    }
    return entry.ready;
  }

  /**
   * `apiToken`: the token of a lease of a run of this deployment, which proves that the host may have it.
   * @throws ApiError, HostError or Error if it can't be fetched now; the next call tries again
   */
  load(id: string, apiToken?: string): Promise<ReadyDeployment> {
    const running = this.#loading.get(id);
    if (running) return running;
    const loading = this.#load(id, apiToken).finally(() => this.#loading.delete(id));
    this.#loading.set(id, loading);
    return loading;
  }

  async #load(id: string, apiToken: string | undefined): Promise<ReadyDeployment> {
    const at = performance.now();
    const deployment = await this.#api.deployment(id, apiToken);
    const [bundlePath, image] = await Promise.all([
      this.#bundles.path(deployment.contentHash, () => this.#api.bundle(id, LIMITS.bundleBytes, apiToken)),
      this.#imageOf(deployment),
    ]);
    const variables = Object.entries(deployment.env).sort(([a], [b]) => (a < b ? -1 : 1));
    const envHash = createHash("sha256").update(JSON.stringify(variables)).digest("hex").slice(0, 16);
    const redactor = new Redactor(deployment.env, deployment.secretNames);
    const ready = { deployment, bundlePath, image, envHash, redactor };
    this.#known.delete(id);
    this.#known.set(id, { ready, at, askedAt: at });
    for (const oldest of this.#known.keys()) {
      if (this.#known.size <= MAX_KEPT) break;
      this.#known.delete(oldest);
    }
    return ready;
  }

  async #imageOf({ image, version }: HostDeployment): Promise<string | undefined> {
    if (!image) return undefined;
    if (this.#executor.ensureImage) return this.#executor.ensureImage(image);
    throw new HostError(
      `version ${version} has an image of its own, and this host executes runs in processes. Start it with --executor docker.`,
    );
  }
}
