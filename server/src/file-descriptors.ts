import { execFileSync } from "node:child_process";

/** workerd keeps two file descriptors for each WebSocket. */
const PER_SOCKET = 2;
/** Kept for everything else: the objects' databases (three each while they are open), requests and polls. */
const RESERVED = 4_096;

/**
 * How many WebSockets workerd may hold with this limit of open files. Without a bound, sockets would take the last file
 * descriptors, and then no object could open its database. Null: there is no limit.
 */
export function mostSockets(openFiles: number | null): number | null {
  if (openFiles === null) return null;
  return Math.floor((openFiles - Math.min(RESERVED, openFiles / 2)) / PER_SOCKET);
}

/**
 * The limit of open files of the processes that this one starts; Node raises its own to what the system allows. Null:
 * there is none, or the system does not say.
 */
export function openFilesLimit(): number | null {
  try {
    const limit = Number(execFileSync("/bin/sh", ["-c", "ulimit -n"], { encoding: "utf8" }));
    return Number.isSafeInteger(limit) && limit > 0 ? limit : null;
  } catch {
    return null;
  }
}
