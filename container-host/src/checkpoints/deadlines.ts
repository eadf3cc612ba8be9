const BASE_MS = 20_000;
/** Bytes per millisecond: a slow disk (50 MB/s). */
const SLOW_DISK = 50_000;
/**
 * A restored run has a lease of 60 s and is returned to its queue after half of it, so a replay has to fit in
 * as well.
 */
const LONGEST_RESTORE_MS = 22_000;

/**
 * Returns the milliseconds that saving a process of this many bytes may take: 20 s plus the time of a slow
 * disk.
 */
export const saveDeadlineMs = (bytes: number): number => BASE_MS + Math.ceil(bytes / SLOW_DISK);

/**
 * Returns the milliseconds that restoring a process of this many bytes may take. `isHang`: more time would
 * not help.
 */
export function restoreDeadline(bytes: number): { ms: number; isHang: boolean } {
  const ms = BASE_MS + Math.ceil(bytes / SLOW_DISK);
  return { ms: Math.min(ms, LONGEST_RESTORE_MS), isHang: ms <= LONGEST_RESTORE_MS };
}
