export * from "./host-protocol.ts";
export * from "./ids.ts";
export * from "./limits.ts";
export * from "./machines.ts";
export * from "./manifest.ts";
export * from "./run-errors.ts";
export * from "./runtime-protocol.ts";
export * from "./states.ts";
