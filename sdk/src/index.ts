export * from "./errors.ts";
export { queue } from "./queue.ts";
export { schemaTask, task } from "./task.ts";
