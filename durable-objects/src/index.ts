export { batchObject } from "./batch/object.ts";
export { dispatcherObject } from "./dispatcher/object.ts";
export { environmentObject } from "./environment/object.ts";
export { feedObject } from "./feed/object.ts";
export { liveObject } from "./live/object.ts";
export { type QueueObjectDependencies, queueObject } from "./queue/object.ts";
export { type WaitpointObjectDependencies, waitpointObject } from "./waitpoint/object.ts";
