const TASK_LIMIT = "task/";

/** The name of the concurrency limit that only the runs of one task hold, which has a queue that it shares. */
export const taskLimitName = (taskId: string): string => `${TASK_LIMIT}${encodeURIComponent(taskId)}`;

export const isTaskLimit = (name: string): boolean => name.startsWith(TASK_LIMIT);
