/** Of the task `steps`, one after the other. */
export const STEPS = 10;
