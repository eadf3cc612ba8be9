import { type HostImage, PROJECT_LABEL } from "@acme/sdk/contract";
import type Docker from "dockerode";
import { HostError, messageOf } from "../../errors.ts";
import type { HostLog } from "../../log.ts";
import { registryAuth } from "./registry-auth.ts";

/** How long an image that was found is assumed to exist. */
const KNOWN_MS = 30_000;

/**
 * Manages the images of deployments on this machine's Engine: each is pulled once by its digest, and the
 * least recently used are removed.
 */
export class DeploymentImages {
  readonly #docker: Docker;
  readonly #maxBytes: number;
  readonly #log: HostLog;
  /** The id of the image and its last use, by reference. */
  readonly #known = new Map<string, { id: string; at: number }>();
  readonly #finding = new Map<string, Promise<string>>();

  constructor(docker: Docker, maxBytes: number, log: HostLog) {
    this.#docker = docker;
    this.#maxBytes = maxBytes;
    this.#log = log;
  }

  /**
   * Makes sure that the image is on this machine, and returns its id.
   * @throws HostError if it can't be used here; Error if the registry can't be reached now
   */
  async ensure(image: HostImage): Promise<string> {
    const known = this.#known.get(image.reference);
    if (known && performance.now() - known.at < KNOWN_MS) return known.id;
    const key = `${image.reference} ${image.projectRef}`;
    const finding = this.#finding.get(key) ?? this.#find(image);
    this.#finding.set(key, finding);
    try {
      const id = await finding;
      this.#known.set(image.reference, { id, at: performance.now() });
      return id;
    } finally {
      this.#finding.delete(key);
    }
  }

  async #find({ projectRef, reference }: HostImage): Promise<string> {
    let found = await this.#inspect(reference);
    if (!found) {
      await this.#pull(reference);
      found = await this.#inspect(reference);
      if (!found) throw new Error(`The Engine does not have ${reference} after it was pulled`);
      await this.#evict(found.Id);
    }
    // Otherwise a deployment could name the image of another project, which this host has the credentials to pull.
    if (found.Config.Labels?.[PROJECT_LABEL] === projectRef) return found.Id;
    throw new HostError(
      `The image ${reference} does not have the label ${PROJECT_LABEL}=${projectRef}, so it was not built by \`acme deploy\` for this project.`,
    );
  }

  async #inspect(reference: string): Promise<Docker.ImageInspectInfo | null> {
    try {
      return await this.#docker.getImage(reference).inspect();
    } catch (error) {
      if ((error as { statusCode?: number }).statusCode === 404) return null;
      throw error;
    }
  }

  async #pull(reference: string): Promise<void> {
    if (!reference.includes("@")) {
      throw new HostError(
        `The image ${reference} is not on this machine's Docker Engine, and was not pushed to a registry. Deploy with \`acme deploy --push REPOSITORY\`, so that every host can pull it.`,
      );
    }
    const begun = performance.now();
    const authconfig = await registryAuth(reference);
    try {
      const stream: NodeJS.ReadableStream = await this.#docker.pull(reference, { authconfig });
      await new Promise<void>((resolve, reject) => {
        this.#docker.modem.followProgress(stream, (error, events: { error?: string }[]) => {
          const failed = error?.message ?? events?.find((event) => event.error)?.error;
          if (failed) reject(new Error(failed));
          else resolve();
        });
      });
    } catch (error) {
      const status = (error as { statusCode?: number }).statusCode;
      const message = messageOf(error);
      if (status === 404 || /unauthorized|denied|authentication required|manifest unknown/i.test(message)) {
        throw new HostError(
          `The image ${reference} can't be pulled: ${message}. Log this host in to the registry (docker login), or push the image again.`,
        );
      }
      throw new Error(`The image ${reference} can't be pulled now: ${message}`);
    }
    this.#log.info(`Pulled ${reference} in ${Math.round(performance.now() - begun)} ms`);
  }

  /** Only images that can be pulled again are removed. The Engine keeps an image that a container uses. */
  async #evict(keep: string): Promise<void> {
    const images = await this.#docker.listImages({ filters: { label: [PROJECT_LABEL] } });
    let total = images.reduce((sum, { Size }) => sum + Size, 0);
    const usedAt = new Map([...this.#known.values()].map(({ at, id }) => [id, at]));
    const removable = images
      .filter(({ Id, RepoDigests }) => Id !== keep && RepoDigests && RepoDigests.length > 0)
      .sort((a, b) => (usedAt.get(a.Id) ?? 0) - (usedAt.get(b.Id) ?? 0) || a.Created - b.Created);
    for (const { RepoDigests = [], RepoTags, Size } of removable) {
      if (total <= this.#maxBytes) return;
      try {
        // An image with a tag was built here, or belongs to somebody else.
        if (RepoTags?.some((tag) => tag !== "<none>:<none>")) continue;
        for (const name of RepoDigests) await this.#docker.getImage(name).remove();
        total -= Size;
      } catch {
        // The image is in use.
      }
    }
  }
}
