/**
 * The messages between the Worker and the objects: plain data and interfaces, no classes. Errors that a
 * caller can act on are returned as values (`{ error }`), never thrown: a thrown error over RPC means the
 * object itself failed, and every call here may then be sent again (each is idempotent).
 */
export type * from "./batch/rpc.ts";
export type * from "./dispatcher/rpc.ts";
export type { Report, TunnelDependencies, TunnelOpening } from "./dispatcher/tunnels.ts";
export type * from "./environment/rpc.ts";
export type * from "./environment/schedules/rpc.ts";
export type * from "./feed/rpc.ts";
export type * from "./live/rpc.ts";
export type * from "./queue/rpc.ts";
export type * from "./routing/refs.ts";
export type { Namespace, ObjectBindings } from "./routing/stubs.ts";
export type * from "./shared/rpc.ts";
export type * from "./waitpoint/rpc.ts";
