import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { CliError } from "../errors.ts";
import type { Project } from "../project/load-config.ts";
import type { Engine } from "./engine.ts";

/** Built by `base-image.sh` on machines that can't reach a registry. */
export const LOCAL_BASE = "acme-base:bookworm";
/** Next to the package's `lib`, or in the sources' `cli`. */
const script = (): string =>
  ["../base-image.sh", "../../base-image.sh"]
    .map((path) => fileURLToPath(new URL(path, import.meta.url)))
    .find((path) => existsSync(path)) ?? "base-image.sh";

const usualBase = ({ config }: Project): string =>
  `node:${config.runtime === "node-22" ? "22" : "24"}-bookworm-slim`;

/**
 * Makes sure that the base image for deployments is on the Engine, and returns its name and id. `wanted`: the
 * image named by the command line or ACME_BASE_IMAGE, which has to be Debian with Node.js and npm.
 * @throws CliError that says how to get one
 */
export async function baseImage(
  engine: Pick<Engine, "imageId" | "pull">,
  project: Project,
  wanted: string | undefined,
  warn: (message: string) => void,
): Promise<{ name: string; id: string }> {
  const name = wanted ?? usualBase(project);
  const found = await engine.imageId(name);
  if (found) return { name, id: found };
  let problem: string;
  try {
    await engine.pull(name);
    const pulled = await engine.imageId(name);
    if (pulled) return { name, id: pulled };
    problem = "the Engine does not have it after it was pulled";
  } catch (error) {
    problem = error instanceof Error ? error.message : String(error);
  }
  const local = wanted === undefined ? await engine.imageId(LOCAL_BASE) : null;
  if (local) {
    warn(`${name} can't be pulled (${problem}): the image is built on ${LOCAL_BASE} of this machine.`);
    return { name: LOCAL_BASE, id: local };
  }
  throw new CliError(
    `The base image ${name} can't be pulled: ${problem}\n  → name another one with --base-image, or, where no registry can be reached, build one from Debian's packages: sh ${script()}`,
  );
}
