import { encodePacket, type Packet } from "../client/packet.ts";
import type { AttemptOutcome } from "../contract/host-protocol.ts";
import { LIMITS } from "../contract/limits.ts";
import type { TaskRunError } from "../contract/run-errors.ts";
import type { RetryDecision } from "./retry-decision.ts";

/**
 * The runtime does not decide what follows after the task ran out of memory: the task's retry settings do, in
 * the queue.
 */
export const failure = (error: TaskRunError, retry: RetryDecision): AttemptOutcome =>
  error.type === "INTERNAL_ERROR" && error.code === "TASK_PROCESS_OOM_KILLED"
    ? { type: "failure", error }
    : { type: "failure", error, retry };

/** Throws if the output can't be serialized, or is too large. */
export function encodeOutput(output: unknown): Packet {
  const packet = encodePacket(output);
  const bytes = packet.data === undefined ? 0 : Buffer.byteLength(packet.data);
  if (bytes > LIMITS.outputBytes) {
    throw new Error(
      `The output has ${bytes} bytes, more than the ${LIMITS.outputBytes} allowed: store it elsewhere and return a reference`,
    );
  }
  return packet;
}
