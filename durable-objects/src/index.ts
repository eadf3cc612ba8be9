export * from "./keys.ts";
export type * from "./rpc.ts";
