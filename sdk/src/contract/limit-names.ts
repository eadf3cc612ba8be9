const TASK_LIMIT = "task/";

/**
 * Returns the name of the concurrency limit that only the runs of one task hold although its queue is shared.
 */
export const taskLimitName = (taskId: string): string => `${TASK_LIMIT}${encodeURIComponent(taskId)}`;

export const isTaskLimit = (name: string): boolean => name.startsWith(TASK_LIMIT);
