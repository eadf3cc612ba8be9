import { request } from "./request.ts";
import type { ApiRequestOptions } from "./request-options.ts";

/** Where the values of an input stream of a run are sent and read. */
export const inputStreamPath = (runId: string, key: string): string =>
  `/realtime/v1/streams/${encodeURIComponent(runId)}/input/${encodeURIComponent(key)}`;

/** Sends a value to an input stream of a run. */
export async function sendInput(
  runId: string,
  key: string,
  value: unknown,
  options?: ApiRequestOptions,
): Promise<void> {
  await request({ method: "POST", path: inputStreamPath(runId, key), body: { data: value } }, options);
}
