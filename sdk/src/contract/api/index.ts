export * from "./batches.ts";
export * from "./deployments.ts";
export * from "./durations.ts";
export * from "./operations.ts";
export * from "./queries.ts";
export * from "./runs.ts";
export * from "./trigger.ts";
export * from "./waitpoints.ts";
