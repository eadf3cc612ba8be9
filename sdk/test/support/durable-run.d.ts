import type { AttemptOutcome, DequeuedRun } from "../../src/contract/host-protocol.ts";
import type { JournalEntry, OperationResult } from "../../src/contract/journal.ts";
import { RuntimeProcess } from "./runtime.ts";

type Options = Omit<ConstructorParameters<typeof RuntimeProcess>[0], "channel">;
/**
 * A run that is executed by several processes: it keeps its journal as the platform does (known fields stay), answers that
 * it is durable, and gives it to the next process.
 */
export declare class DurableRun {
  #private;
  readonly run: DequeuedRun;
  readonly journal: Map<
    number,
    {
      number: number;
      kind: "batch" | "batch-trigger" | "run" | "step" | "token" | "trigger" | "wait";
      name: string;
      location?: string | undefined;
      target?: string | undefined;
      until?: number | undefined;
      startedAt: number;
      completedAt?: number | undefined;
      result?:
        | {
            ok: true;
            output?: string | null | undefined;
            outputType?: string | undefined;
          }
        | {
            ok: false;
            error:
              | {
                  type: "BUILT_IN_ERROR";
                  name: string;
                  message: string;
                  stackTrace: string;
                }
              | {
                  type: "CUSTOM_ERROR";
                  raw: string;
                }
              | {
                  type: "STRING_ERROR";
                  raw: string;
                }
              | {
                  type: "INTERNAL_ERROR";
                  code: string;
                  message?: string | undefined;
                  stackTrace?: string | undefined;
                };
          }
        | undefined;
      values?:
        | {
            now?: number[] | undefined;
            random?: number[] | undefined;
            uuid?: string[] | undefined;
            fetch?:
              | {
                  request: string;
                  status: number;
                  statusText: string;
                  headers: [string, string][];
                  body: string | null;
                  segment?: number | undefined;
                }[]
              | undefined;
            after?: number[] | undefined;
            tail?:
              | {
                  now?: number[] | undefined;
                  random?: number[] | undefined;
                  uuid?: string[] | undefined;
                  fetch?:
                    | {
                        request: string;
                        status: number;
                        statusText: string;
                        headers: [string, string][];
                        body: string | null;
                        segment?: number | undefined;
                      }[]
                    | undefined;
                  after?: number[] | undefined;
                }
              | undefined;
          }
        | undefined;
    }
  >;
  runtime: RuntimeProcess | undefined;
  /** False: journal messages are not confirmed as durable. */
  answers: boolean;
  constructor(options: Options, taskId: string, payload?: unknown, more?: Partial<DequeuedRun>);
  /** Starts a process that runs it from its start, or resumes it with its journal. */
  start(env?: Record<string, string>): Promise<RuntimeProcess>;
  follow(runtime: RuntimeProcess): void;
  get entries(): JournalEntry[];
  /** Completes an operation: the next process knows the result, and it is sent to the current one. */
  complete(number: number, result: OperationResult): void;
  /** Like `complete`, but without a message: it happens while no process runs. */
  completeSilently(number: number, result?: OperationResult): void;
  /** Resolves when the run has reported that it waits for exactly these operations. */
  waits(...numbers: number[]): Promise<void>;
  /** Ends the process as if the machine had lost power. */
  kill(): Promise<void>;
  outcome(): Promise<AttemptOutcome>;
  /** Returns what the run returned. */
  result(): Promise<unknown>;
  /** Resolves when this process has logged exactly this. */
  logged(...messages: string[]): Promise<void>;
  get logs(): string[];
}
