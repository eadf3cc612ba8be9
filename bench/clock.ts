/**
 * Milliseconds of the machine's monotonic clock. It is the same in every process, so a time from a task's
 * process can be compared with one from the bench's.
 */
export const now = (): number => Number(process.hrtime.bigint()) / 1e6;
