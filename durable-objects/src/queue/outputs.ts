import type { TaskRunError } from "@acme/sdk/contract";
import type { QueueContext } from "./context.ts";

/** Stores what a run ended with, beside its row. */
export function saveOutput(
  q: QueueContext,
  seq: number,
  output: string | null,
  outputType: string | null,
  error: TaskRunError | null,
): void {
  if (output === null && error === null) return;
  q.sql.exec(
    "INSERT OR REPLACE INTO outputs (seq, output, output_type, error) VALUES (?, ?, ?, ?)",
    seq,
    output,
    outputType,
    error ? JSON.stringify(error) : null,
  );
}
