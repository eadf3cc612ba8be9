import type { RunError } from "./rpc.ts";

export const runNotFound = (runId: string): RunError => ({
  error: "not_found",
  message: `Run ${runId} was not found.`,
});
