import { closeSync, constants, openSync, rmSync } from "node:fs";
import { basename, dirname } from "node:path";

/**
 * An address for a Unix socket of any path: the kernel takes at most 107 bytes, so the folder is named by a descriptor of
 * this process. Linux only.
 */
export function socketAddress(path: string): { path: string; release(): void } {
  const folder = openSync(dirname(path), constants.O_RDONLY | constants.O_DIRECTORY);
  return { path: `/proc/self/fd/${folder}/${basename(path)}`, release: () => closeSync(folder) };
}

/** The same for a socket that is about to be created: removes one that a killed process left. */
export function createSocketAddress(path: string): { path: string; release(): void } {
  rmSync(path, { force: true });
  return socketAddress(path);
}
