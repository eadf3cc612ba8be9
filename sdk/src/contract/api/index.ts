export * from "./deployments.ts";
export * from "./durations.ts";
export * from "./runs.ts";
export * from "./trigger.ts";
