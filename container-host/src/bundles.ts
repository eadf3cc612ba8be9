import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { chmod, readdir, rename, rm, stat, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { HostError } from "./errors.ts";

const NAME = /^([0-9a-f]{64})\.mjs$/;

/**
 * Keeps bundles on disk by content hash. Each is fetched once; above a total size, the least recently used
 * are removed.
 */
export class Bundles {
  readonly #folder: string;
  readonly #maxBytes: number;
  readonly #fetching = new Map<string, Promise<string>>();
  readonly #used = new Map<string, number>();

  constructor(folder: string, maxBytes: number) {
    this.#folder = folder;
    this.#maxBytes = maxBytes;
  }

  /**
   * Returns the path of the bundle, an ES module. `fetch` gets its bytes if it is not on disk yet.
   * @throws ApiError or Error if it can't be fetched; HostError if its content does not match its hash
   */
  async path(hash: string, fetch: () => Promise<Buffer>): Promise<string> {
    if (!NAME.test(`${hash}.mjs`)) throw new HostError(`"${hash}" is not a content hash`);
    const file = join(this.#folder, `${hash}.mjs`);
    if (this.#used.has(hash) && existsSync(file)) return file;
    const running = this.#fetching.get(hash) ?? this.#open(hash, file, fetch);
    this.#fetching.set(hash, running);
    try {
      return await running;
    } finally {
      this.#fetching.delete(hash);
    }
  }

  /** Marks the bundle as used by a runtime: it is kept until `release`. */
  hold(hash: string): void {
    this.#used.set(hash, (this.#used.get(hash) ?? 0) + 1);
  }

  release(hash: string): void {
    const count = (this.#used.get(hash) ?? 0) - 1;
    if (count > 0) this.#used.set(hash, count);
    else this.#used.delete(hash);
  }

  async #open(hash: string, file: string, fetch: () => Promise<Buffer>): Promise<string> {
    if (existsSync(file)) {
      const now = new Date();
      await utimes(file, now, now);
      return file;
    }
    const bytes = await fetch();
    const actual = createHash("sha256").update(bytes).digest("hex");
    if (actual !== hash)
      throw new HostError(
        `The bundle that was downloaded is not ${hash}: its content has the hash ${actual}`,
      );
    await writeFile(`${file}.new`, bytes);
    // World-readable, because containers read it as another user.
    await chmod(`${file}.new`, 0o644);
    await rename(`${file}.new`, file);
    await this.#evict(hash);
    return file;
  }

  async #evict(keep: string): Promise<void> {
    const files: { hash: string; path: string; bytes: number; usedAt: number }[] = [];
    for (const name of await readdir(this.#folder)) {
      const hash = NAME.exec(name)?.[1];
      const path = join(this.#folder, name);
      const info = hash ? await stat(path).catch(() => null) : null;
      if (hash && info) files.push({ hash, path, bytes: info.size, usedAt: info.mtimeMs });
    }
    let total = files.reduce((sum, { bytes }) => sum + bytes, 0);
    for (const { hash, path, bytes } of files.sort((a, b) => a.usedAt - b.usedAt)) {
      if (total <= this.#maxBytes) return;
      if (hash === keep || this.#used.has(hash)) continue;
      await rm(path, { force: true });
      total -= bytes;
    }
  }
}
