import { randomBase36 } from "@acme/sdk/contract";

/**
 * Ids of things that belong to an environment and to no queue: `prefix_` + environment key (8) + time (9) + random (8), all
 * lower-case base 36. They sort by creation within their environment, and ids of another environment are refused without
 * asking any object.
 */
export type EnvironmentIdPrefix = "waitpoint" | "batch";

const TIME_LENGTH = 9;
const KEY_LENGTH = 8;
const ID = new RegExp(`^(waitpoint|batch)_([0-9a-z]{${KEY_LENGTH}})([0-9a-z]{${TIME_LENGTH}})[0-9a-z]{8}$`);

export const newEnvironmentId = (
  prefix: EnvironmentIdPrefix,
  environmentKey: string,
  now: number = Date.now(),
): string => `${prefix}_${environmentKey}${now.toString(36).padStart(TIME_LENGTH, "0")}${randomBase36(8)}`;

export interface EnvironmentIdParts {
  prefix: EnvironmentIdPrefix;
  environmentKey: string;
  /** Milliseconds since the epoch. */
  createdAt: number;
}

/** Returns null when `id` is not such an id. */
export function parseEnvironmentId(id: string): EnvironmentIdParts | null {
  const match = ID.exec(id);
  if (!match) return null;
  return {
    prefix: match[1] as EnvironmentIdPrefix,
    environmentKey: match[2] as string,
    createdAt: Number.parseInt(match[3] as string, 36),
  };
}
