import { stripVTControlCharacters } from "node:util";
import { registryAuth } from "@acme/container-host/registry-auth";
import Docker from "dockerode";
import { CliError } from "../errors.ts";
import { type ContextFile, tarOf } from "./context.ts";

/** The used part of the stream of a build, a pull or a push. */
interface Progress {
  stream?: string;
  status?: string;
  id?: string;
  error?: string;
  aux?: { Digest?: string; ID?: string };
}

/** The Docker Engine that builds images: the one that DOCKER_HOST names, or that of this machine. */
export class Engine {
  readonly #docker = new Docker();
  readonly #log: (line: string) => void;

  /** `log`: receives the lines of builds, pulls and pushes. */
  constructor(log: (line: string) => void) {
    this.#log = log;
  }

  /** @throws CliError when it does not answer */
  async check(): Promise<void> {
    await this.#docker.ping().catch((error: Error) => {
      throw new CliError(
        `This deployment needs an image, and the Docker Engine that would build it does not answer (${error.message}). Start Docker, or set DOCKER_HOST to an Engine.`,
      );
    });
  }

  /** Returns the id of an image on the Engine; null if it is not there. */
  async imageId(name: string): Promise<string | null> {
    try {
      return (await this.#docker.getImage(name).inspect()).Id;
    } catch (error) {
      if ((error as { statusCode?: number }).statusCode === 404) return null;
      throw error;
    }
  }

  /** @throws Error when the image can't be pulled */
  async pull(name: string): Promise<void> {
    const authconfig = await registryAuth(name);
    const stream: NodeJS.ReadableStream = await this.#docker.pull(name, { authconfig });
    await this.#follow(stream);
  }

  /** Builds an image under this name. @throws CliError that has the last lines of the build */
  async build(name: string, files: ContextFile[], network: string | undefined): Promise<void> {
    const last: string[] = [];
    const stream = await this.#docker.buildImage(tarOf(files), {
      t: name,
      rm: true,
      forcerm: true,
      ...(network ? { networkmode: network } : undefined),
    });
    await this.#follow(stream, (line) => {
      last.push(line);
      if (last.length > 20) last.shift();
    }).catch((error: Error) => {
      throw new CliError([...last, `The image could not be built: ${error.message}`].join("\n"));
    });
  }

  /** Gives an image another name, pushes it, and returns its digest. @throws CliError when the registry refuses it */
  async push(repository: string, tag: string): Promise<string> {
    const image = this.#docker.getImage(`${repository}:${tag}`);
    const authconfig = await registryAuth(repository);
    let digest: string | undefined;
    try {
      // Without credentials, the Engine still requires an empty object.
      const stream: NodeJS.ReadableStream = await image.push({ authconfig: authconfig ?? {} });
      for (const { aux } of await this.#follow(stream)) digest = aux?.Digest ?? digest;
    } catch (error) {
      throw new CliError(
        `The image could not be pushed to ${repository}: ${error instanceof Error ? error.message : error}. Log in with \`docker login\`, or name another repository with --push.`,
      );
    }
    if (!digest) throw new CliError(`The registry did not return the digest of ${repository}:${tag}.`);
    return digest;
  }

  /** Returns the digest under which a registry has an image; null if it does not have it. */
  async pushedDigest(repository: string, tag: string): Promise<string | null> {
    const authconfig = await registryAuth(repository);
    try {
      const found = await this.#docker.getImage(`${repository}:${tag}`).distribution({ authconfig });
      return found.Descriptor.digest;
    } catch {
      // The registry does not have it, or requires other credentials, which the push will report.
      return null;
    }
  }

  async #follow(stream: NodeJS.ReadableStream, onLine?: (line: string) => void): Promise<Progress[]> {
    return new Promise((resolve, reject) => {
      let rest = "";
      this.#docker.modem.followProgress(
        stream,
        (error: Error | null, events: Progress[]) => {
          const failed = error?.message ?? events?.find((event) => event.error)?.error;
          if (failed) reject(new Error(failed.trim()));
          else resolve(events);
        },
        ({ id, status, stream: text }: Progress) => {
          // Progress bars are for terminals; the log keeps only events.
          if (status && !/ing$|ing fs layer$|^Waiting$/.test(status))
            this.#line([id, status].filter(Boolean).join(": "), onLine);
          const lines = (rest + (text ?? "")).split("\n");
          rest = lines.pop() ?? "";
          for (const line of lines) this.#line(line, onLine);
        },
      );
    });
  }

  #line(text: string, onLine?: (line: string) => void): void {
    // Programs in the build write colors as if to a terminal.
    const line = stripVTControlCharacters(text).trimEnd();
    if (line === "") return;
    onLine?.(line);
    this.#log(line);
  }
}
