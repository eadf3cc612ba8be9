import { parseRunId } from "@acme/sdk/contract";
import { parseEnvironmentId } from "../environment-id.ts";

const KEY_LENGTH = 8;

/** How the names of the objects of each binding say which environment they belong to. */
const ENVIRONMENT_OF: Record<string, (name: string) => string | undefined> = {
  QUEUE: (queueKey) => queueKey.slice(0, KEY_LENGTH),
  ENVIRONMENT: (key) => key,
  LIVE: (key) => key,
  ALERTS: (key) => key,
  ARTIFACTS: (key) => key,
  // dev:KEY, or the pool of the container hosts.
  DISPATCHER: (pool) => pool.split(":")[1],
  // run:RUN, trace:KEY:TRACE or metrics:KEY.
  FEED: (name) => {
    const subject = name.slice(name.indexOf(":") + 1);
    return parseRunId(subject)?.environmentKey ?? subject.split(":")[0];
  },
  // An id, or the object of an idempotency key: key:KEY:HASH or once:KEY:HASH.
  WAITPOINT: (name) => parseEnvironmentId(name)?.environmentKey ?? name.split(":")[1],
  BATCH: (name) => parseEnvironmentId(name)?.environmentKey ?? name.split(":")[1],
};

/**
 * Returns the key of the environment that an object belongs to. Null: it serves several, such as the database, and lives in
 * the first process.
 */
export function environmentOf(binding: string, name: string): string | null {
  const key = ENVIRONMENT_OF[binding]?.(name);
  return key?.length === KEY_LENGTH ? key : null;
}
