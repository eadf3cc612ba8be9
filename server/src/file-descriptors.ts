import { execFileSync } from "node:child_process";

/** workerd keeps two file descriptors for each WebSocket. */
const PER_SOCKET = 2;
/**
 * Reserved for everything else: the objects' databases (three each while they are open), requests and polls.
 */
const RESERVED = 4_096;

/**
 * Returns how many WebSockets workerd may hold with this limit of open files; null if there is no limit.
 * Without a bound, sockets would use up all file descriptors, and no object could open its database.
 */
export function mostSockets(openFiles: number | null): number | null {
  if (openFiles === null) return null;
  return Math.floor((openFiles - Math.min(RESERVED, openFiles / 2)) / PER_SOCKET);
}

/**
 * Returns the limit of open files of child processes (Node raises its own to the system's maximum); null if
 * there is none, or it is unknown.
 */
export function openFilesLimit(): number | null {
  try {
    const limit = Number(execFileSync("/bin/sh", ["-c", "ulimit -n"], { encoding: "utf8" }));
    return Number.isSafeInteger(limit) && limit > 0 ? limit : null;
  } catch {
    return null;
  }
}
