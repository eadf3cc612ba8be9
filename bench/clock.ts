/**
 * Milliseconds of the machine's monotonic clock: the same in every process, so a moment in a task's process compares
 * with one in the bench's.
 */
export const now = (): number => Number(process.hrtime.bigint()) / 1e6;
