export { OBJECT_HEADER, type ShardBindings, type ShardPeer } from "./bindings.ts";
export { environmentOf } from "./environment-of.ts";
export { callMethod, objectOf } from "./object-of.ts";
export { newEnvironmentKey } from "./placements.ts";
