import { STREAM_LIMITS } from "@acme/sdk/contract";
import { Failure } from "../../http/failure.ts";

/** Input streams are stored with the others, under names that those can't have. */
export const inputKey = (key: string): string => `$input:${streamKey(key)}`;

/** Returns the key of a stream from the path. */
export function streamKey(key: string): string {
  if (key === "" || key.length > STREAM_LIMITS.keyLength || key.startsWith("$")) {
    throw new Failure(
      400,
      "invalid_stream_key",
      `A stream's key has 1 to ${STREAM_LIMITS.keyLength} characters and does not begin with $.`,
    );
  }
  return key;
}
