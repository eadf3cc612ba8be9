const BASE_MS = 20_000;
/** Bytes per millisecond: a slow disk (50 MB/s). */
const SLOW_DISK = 50_000;
/** A run that is restored holds a lease of 60 s and is given back after half of it: a replay has to fit in there too. */
const LONGEST_RESTORE_MS = 22_000;

/** Milliseconds that saving a process of this many bytes may take: 20 s, and what a slow disk takes to write them. */
export const saveDeadlineMs = (bytes: number): number => BASE_MS + Math.ceil(bytes / SLOW_DISK);

/** Milliseconds that restoring a process of this many bytes may take. `isHang`: more time would not have helped. */
export function restoreDeadline(bytes: number): { ms: number; isHang: boolean } {
  const ms = BASE_MS + Math.ceil(bytes / SLOW_DISK);
  return { ms: Math.min(ms, LONGEST_RESTORE_MS), isHang: ms <= LONGEST_RESTORE_MS };
}
