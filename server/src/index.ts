export { messageOf, ServerError } from "./errors.ts";
export { platform } from "./platform.ts";
export {
  DEFAULT_PORT,
  EXECUTORS,
  type Executor,
  type LocalAccess,
  type RunningServer,
  type ServerOptions,
  startServer,
} from "./server.ts";
export { MAX_PROCESSES } from "./shards/shard.ts";
export { signInLinkOf } from "./sign-in-link.ts";
