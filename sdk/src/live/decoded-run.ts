import { decodePacket, JSON_TYPE, STORE_TYPE } from "../client/packet.ts";
import { withDates } from "../client/runs-api.ts";
import type { LivePacket, LiveRun } from "../contract/live.ts";

export type DecodedRun = Record<string, unknown>;

/** Downloads a payload or an output that is too large to be part of a run's state. */
export type Download = (runId: string, field: "payload" | "output") => Promise<unknown>;

/**
 * Returns a run with dates, and with its payload and output as values; a promise if one of them has to be
 * downloaded.
 */
export function decodedRun(
  { data = {}, position: _, ...run }: LiveRun,
  download: Download,
): DecodedRun | Promise<DecodedRun> {
  const { metadata, error, streams } = data;
  const decode = (field: "payload" | "output"): unknown => {
    const packet: LivePacket | undefined = data[field];
    if (packet?.dataType === STORE_TYPE) return download(run.id, field);
    return decodePacket(packet?.data, packet?.dataType ?? JSON_TYPE);
  };
  const whole = (payload: unknown, output: unknown): DecodedRun => ({
    ...withDates(run),
    payload,
    output,
    metadata,
    error,
    ...(streams ? { realtimeStreams: streams } : {}),
  });
  const [payload, output] = [decode("payload"), decode("output")];
  if (!(payload instanceof Promise || output instanceof Promise)) return whole(payload, output);
  return Promise.all([payload, output]).then(([input, result]) => whole(input, result));
}
