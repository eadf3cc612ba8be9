import type { JournalEntry, OperationKind, OperationResult } from "../contract/journal.ts";
import type { TaskWait } from "../define/hook-types.ts";
import { currentRun, type RunScope } from "../run/state.ts";

/** An operation that starts, as its own code sees it. */
interface StartedOperation {
  /** `RUNID.ATTEMPT.NUMBER`: what API calls made for it name, so that they create nothing twice. */
  readonly id: string;
  /** What the journal knows to have been created for it, when it is started once more. */
  readonly target: string | undefined;
  /** The journal had it before: this attempt began it in an earlier process. */
  readonly known: boolean;
}

/** What a batch whose items are not known yet is called in the journal. */
export const UNKNOWN_ITEMS = "batch";

export interface OperationCall<T> {
  kind: OperationKind;
  /** At most 512 characters are kept. */
  name: string;
  /** Where the task's code called it: see {@link callSite}. */
  site: string | undefined;
  target?: string;
  /** End of a "wait". */
  until?: number;
  /**
   * Does what is to be done, also when the journal has the operation without a result. Gives what it created and, where
   * the operation is over by that, its result. Never rejects.
   */
  start?: (operation: StartedOperation) => Promise<{ target?: string; result?: OperationResult }>;
  /** What hooks are told when the run begins to wait for it. Absent: they are told nothing. */
  wait?: (entry: JournalEntry) => TaskWait | undefined;
  /** What the task's code gets, or what this throws. Also for a result that was recorded. */
  read: (result: OperationResult, target: string | undefined) => T | Promise<T>;
  /** Its result is only handed out when it is durable. */
  durable?: boolean;
}

/** The journal of an attempt, as the SDK's functions use it. */
export interface DurableScope {
  /** What the caller is inside of (`step "charge"`), where no operation of its own can be recorded. */
  readonly inside: string | undefined;
  /** The attempt is being ended with this: nothing is waited for any more. */
  readonly stopped: unknown;
  /** Does it, or gives what it gave before. It is numbered at once, in the order of the calls. */
  operation<T>(call: OperationCall<T>): Promise<T>;
  /** Something of the SDK is under way: until it settles, the run doesn't only wait. */
  busy<T>(fn: () => Promise<T>): Promise<T>;
  /** Calls `fn` so that nothing in it is recorded; `name` is what its operations are told they are inside of. */
  inner<T>(name: string, fn: () => T): T;
}

/**
 * The run's journal, where an operation can be recorded now: not inside of a step, and not once the attempt is being ended.
 * @throws the error of a replay that went another way than its journal
 */
export function durableScope(): { run: RunScope; scope: DurableScope } | undefined {
  const run = currentRun();
  if (!run) return undefined;
  const scope = run.durable;
  const { stopped } = scope;
  // Nothing of a run that went another way than before is to happen any more.
  if (stopped instanceof Error && stopped.name === "NonDeterministicError") throw stopped;
  return scope.inside === undefined && stopped === undefined ? { run, scope } : undefined;
}

/**
 * As {@link durableScope}, for what makes no sense without a journal.
 * @throws Error that says why there is none; the reason of the attempt's end
 */
export function waitScope(what: string): { run: RunScope; scope: DurableScope } {
  const found = durableScope();
  if (found) return found;
  const run = currentRun();
  if (!run)
    throw new Error(`${what} can only be used inside a task's run: outside of one nothing can be suspended`);
  if (run.durable.stopped !== undefined) throw run.durable.stopped;
  throw new Error(
    `${what} can't be used inside ${run.durable.inside}: that is recorded as one operation. Call it beside it, in the task's run`,
  );
}

/** Calls `fn` outside of what is recorded of a run, for what the SDK needs for itself. */
export function unrecorded<T>(fn: () => T): T {
  const run = currentRun();
  return run ? run.durable.inner("the SDK", fn) : fn();
}

/**
 * Where `fn` was called, as V8 names it (`file:///…/bundle.mjs:120:9`); undefined outside of a run. To be called by `fn`
 * itself before its first await.
 */
export function callSite(fn: (...args: never[]) => unknown): string | undefined {
  if (!currentRun()) return undefined;
  const V8 = Error as ErrorConstructor & {
    captureStackTrace?: (target: object, above: unknown) => void;
    prepareStackTrace?: unknown;
    stackTraceLimit?: number;
  };
  if (!V8.captureStackTrace) return undefined;
  const { prepareStackTrace, stackTraceLimit } = V8;
  try {
    V8.stackTraceLimit = 1;
    // Positions in the bundle are all that is needed: mapping each of them to its source now would take too long.
    V8.prepareStackTrace = (_: unknown, sites: unknown) => sites;
    const holder: { stack?: unknown } = {};
    V8.captureStackTrace(holder, fn);
    const site = (holder.stack as CallSite[] | undefined)?.[0];
    const file = site?.getScriptNameOrSourceURL?.() ?? site?.getFileName();
    return site && file ? `${file}:${site.getLineNumber()}:${site.getColumnNumber()}` : undefined;
  } finally {
    V8.prepareStackTrace = prepareStackTrace;
    V8.stackTraceLimit = stackTraceLimit;
  }
}

interface CallSite {
  getFileName(): string | null;
  getScriptNameOrSourceURL?(): string | null;
  getLineNumber(): number | null;
  getColumnNumber(): number | null;
}
