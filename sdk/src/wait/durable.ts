import type { JournalEntry, OperationKind, OperationResult } from "../contract/journal.ts";
import type { TaskWait } from "../define/hook-types.ts";
import { currentRun, type RunScope } from "../run/state.ts";

/** What the code of an operation knows when the operation starts. */
interface StartedOperation {
  /**
   * `RUNID.ATTEMPT.NUMBER`. API calls of the operation send it, so that repeating them creates nothing twice.
   */
  readonly id: string;
  /** What an earlier start of the operation created, if the journal knows it. */
  readonly target: string | undefined;
  /** True if this attempt started the operation before, in an earlier process. */
  readonly known: boolean;
}

/** The name in the journal of a batch whose items are not known yet. */
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
   * Performs the operation, also if the journal has it without a result. Returns what it created and, if that
   * completes the operation, its result. Never rejects.
   */
  start?: (operation: StartedOperation) => Promise<{ target?: string; result?: OperationResult }>;
  /** The wait that the hooks are notified of when it begins and ends. Absent: they are not notified. */
  wait?: (entry: JournalEntry) => TaskWait | undefined;
  /** Turns a result, new or recorded, into what the task's code gets. It gets what this throws. */
  read: (result: OperationResult, target: string | undefined) => T | Promise<T>;
  /** True: the result is handed out only after it is durable. */
  durable?: boolean;
}

/** The journal of an attempt, as the SDK's functions use it. */
export interface DurableScope {
  /** The code that the caller is inside of (`step "charge"`), if no operation can be recorded there. */
  readonly inside: string | undefined;
  /** The reason why the attempt is being ended. From then on nothing is waited for. */
  readonly stopped: unknown;
  /**
   * Performs an operation, or returns its recorded result. Operations are numbered in the order of the calls.
   */
  operation<T>(call: OperationCall<T>): Promise<T>;
  /** Calls `fn`. Until it settles, the run does more than wait, so it is not suspended. */
  busy<T>(fn: () => Promise<T>): Promise<T>;
  /** Calls `fn` so that nothing in it is recorded. `name` is the value of `inside` there. */
  inner<T>(name: string, fn: () => T): T;
}

/**
 * Returns the run's journal if an operation can be recorded now: not inside a step, and not while the attempt
 * is being ended.
 * @throws NonDeterministicError if the run's replay differed from its journal
 */
export function durableScope(): { run: RunScope; scope: DurableScope } | undefined {
  const run = currentRun();
  if (!run) return undefined;
  const scope = run.durable;
  const { stopped } = scope;
  // A run whose replay differed from its journal must not do anything else.
  if (stopped instanceof Error && stopped.name === "NonDeterministicError") throw stopped;
  return scope.inside === undefined && stopped === undefined ? { run, scope } : undefined;
}

/**
 * Like {@link durableScope}, for functions that need a journal.
 * @throws Error that says why there is none; the reason why the attempt is being ended
 */
export function waitScope(what: string): { run: RunScope; scope: DurableScope } {
  const found = durableScope();
  if (found) return found;
  const run = currentRun();
  if (!run)
    throw new Error(`${what} can only be used inside a task's run, because only a run can be suspended`);
  if (run.durable.stopped !== undefined) throw run.durable.stopped;
  throw new Error(
    `${what} can't be used inside ${run.durable.inside}, which is recorded as one operation. Call it outside of that, in the task's run function`,
  );
}

/** Calls `fn` so that nothing in it is recorded, for the SDK's own needs. */
export function unrecorded<T>(fn: () => T): T {
  const run = currentRun();
  return run ? run.durable.inner("the SDK", fn) : fn();
}

/**
 * Returns where `fn` was called, in V8's notation (`file:///…/bundle.mjs:120:9`); undefined outside of a run.
 * `fn` itself has to call this, before its first await.
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
    // A position in the bundle is enough. Mapping each of them to its source here would take too long.
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
