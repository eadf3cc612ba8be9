/**
 * Identifiers. A run's id contains its owner: `run_` + environment key (8) + queue hash (10) + time (9) +
 * random (8), all in lower-case base 36. So a request about a run reaches its queue object in one hop without
 * a lookup, and its environment is checked before any object is asked.
 */
export const ENVIRONMENT_KEY_LENGTH = 8;
export const QUEUE_HASH_LENGTH = 10;
export const QUEUE_KEY_LENGTH = ENVIRONMENT_KEY_LENGTH + QUEUE_HASH_LENGTH;
const TIME_LENGTH = 9;
const RANDOM_LENGTH = 8;
const RUN_ID = new RegExp(`^run_[0-9a-z]{${QUEUE_KEY_LENGTH + TIME_LENGTH + RANDOM_LENGTH}}$`);

const ALPHABET = "0123456789abcdefghijklmnopqrstuvwxyz";

/** Returns `length` random base-36 characters from the Web Crypto generator. */
export function randomBase36(length: number): string {
  let out = "";
  while (out.length < length) {
    for (const byte of crypto.getRandomValues(new Uint8Array(length * 2))) {
      // 252 is the largest multiple of 36 in a byte: larger values would skew the distribution.
      if (byte < 252 && out.length < length) out += ALPHABET[byte % 36];
    }
  }
  return out;
}

/**
 * Returns a new run id that is owned by the queue object `queueKey`. Ids of a queue sort by creation time.
 */
export function newRunId(queueKey: string, now: number = Date.now(), random = randomBase36): string {
  return `run_${queueKey}${now.toString(36).padStart(TIME_LENGTH, "0")}${random(RANDOM_LENGTH)}`;
}

export interface RunIdParts {
  /** Name of the owning queue object. */
  queueKey: string;
  environmentKey: string;
  /** Milliseconds since the epoch. */
  createdAt: number;
}

/** Returns the parts of a run id, or null if it is not one. */
export function parseRunId(id: string): RunIdParts | null {
  if (!RUN_ID.test(id)) return null;
  const body = id.slice(4);
  return {
    queueKey: body.slice(0, QUEUE_KEY_LENGTH),
    environmentKey: body.slice(0, ENVIRONMENT_KEY_LENGTH),
    createdAt: Number.parseInt(body.slice(QUEUE_KEY_LENGTH, QUEUE_KEY_LENGTH + TIME_LENGTH), 36),
  };
}

/** Returns `prefix_` + 24 random base-36 characters, for everything that is not owned by a queue. */
export const newId = (prefix: string): string => `${prefix}_${randomBase36(24)}`;
