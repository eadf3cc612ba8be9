import { parseRunId } from "../ids.ts";

/**
 * Header of a call that code inside a run makes for one of its durable operations: `RUNID.ATTEMPT.NUMBER`. The call can be
 * sent again: the same operation never creates a second child. On `POST …/tasks/:id/trigger` and `POST /api/v3/batches`.
 */
export const OPERATION_HEADER = "x-acme-operation";

export interface OperationRef {
  runId: string;
  attempt: number;
  number: number;
}

export const formatOperation = ({ runId, attempt, number }: OperationRef): string =>
  `${runId}.${attempt}.${number}`;

/** Returns null if the text does not name an operation of a run. */
export function parseOperation(text: string): OperationRef | null {
  const match = /^(run_[0-9a-z]+)\.([1-9]\d{0,5})\.(\d{1,9})$/.exec(text);
  if (!match || !parseRunId(match[1] as string)) return null;
  return { runId: match[1] as string, attempt: Number(match[2]), number: Number(match[3]) };
}

/** The `name` of the journal entry of a batch: its distinct tasks, in the order of their first items. */
export const batchOperationName = (tasks: Iterable<string>): string =>
  [...new Set(tasks)].join(", ").slice(0, 512);
