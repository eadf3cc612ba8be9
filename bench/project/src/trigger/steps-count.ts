/** Number of steps of the task `steps`; they run one after the other. */
export const STEPS = 10;
