import { mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

export interface CachedBundle {
  /** Inputs are relative to it. */
  root: string;
  /** The module is written here. */
  outfile: string;
  /** Where it is kept with the list of its inputs. */
  cacheFile: string;
  /** Bundles into `outfile`. Returns the source files. */
  bundle(): Promise<string[]>;
}

/** Times of files are this much less precise than the clock. */
const CLOCK_MS = 100;

/** Size and time of the last change of each input. Null: it is no file, like a module that a package replaces by an empty one. */
type Inputs = Record<string, string | null>;

/**
 * Writes the module that was bundled last, or bundles it where a source has changed since. The first line of the cache file
 * lists the inputs, so that servers of one checkout that start at the same time never read the list of another module.
 */
export async function writeBundle({ bundle, cacheFile, outfile, root }: CachedBundle): Promise<void> {
  const kept = read(cacheFile);
  if (kept && Object.entries(kept.inputs).every(([path, state]) => stateOf(root, path) === state)) {
    writeFileSync(outfile, kept.module);
    return;
  }
  const startedAt = Date.now();
  const sources = await bundle();
  const inputs: Inputs = {};
  for (const path of sources) {
    // A source that changed while it was bundled may be in the module as it was before.
    const changedAt = statSync(join(root, path), { throwIfNoEntry: false })?.mtimeMs ?? 0;
    if (changedAt > startedAt - CLOCK_MS) return;
    inputs[path] = stateOf(root, path);
  }
  keep(cacheFile, `${JSON.stringify(inputs)}\n`, readFileSync(outfile));
}

function stateOf(root: string, path: string): string | null {
  const found = statSync(join(root, path), { throwIfNoEntry: false });
  return found ? `${found.size} ${found.mtimeMs}` : null;
}

function read(cacheFile: string): { inputs: Inputs; module: Buffer } | null {
  try {
    const bytes = readFileSync(cacheFile);
    const end = bytes.indexOf("\n");
    return { inputs: JSON.parse(bytes.toString("utf8", 0, end)) as Inputs, module: bytes.subarray(end + 1) };
  } catch {
    // The cache is missing or damaged, so the bundle is built again.
    return null;
  }
}

/** A cache that can't be written only costs the next start its time. */
function keep(cacheFile: string, list: string, module: Buffer): void {
  const unfinished = `${cacheFile}.${process.pid}`;
  try {
    mkdirSync(dirname(cacheFile), { recursive: true });
    writeFileSync(unfinished, Buffer.concat([Buffer.from(list), module]));
    renameSync(unfinished, cacheFile);
  } catch {
    rmSync(unfinished, { force: true });
  }
}
