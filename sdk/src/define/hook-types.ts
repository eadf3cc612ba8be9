import type { RetryOptions } from "../contract/manifest.ts";
import type { Context } from "../run/context.ts";

/** The return value of `init`: an object that every later hook and `run` get as `init`. */
// biome-ignore lint/suspicious/noConfusingVoidType: an async function without a return statement is a Promise<void>
export type InitOutput = object | undefined | void;

type MaybePromise<T> = T | Promise<T>;

/** The parameters of every hook. */
export interface HookParams<TPayload = unknown> {
  ctx: Context;
  payload: TPayload;
  /** The task's id. */
  task: string;
  /** Aborted when the run is canceled or exceeds its `maxDuration`. */
  signal: AbortSignal;
}
interface WithInit<TInit> {
  /** The objects that the `init` hooks returned, merged. */
  init?: TInit;
}

export type TaskInitHookParams<TPayload = unknown> = HookParams<TPayload>;
export type TaskStartHookParams<TPayload = unknown, TInit = InitOutput> = HookParams<TPayload> &
  WithInit<TInit>;
export type TaskStartAttemptHookParams<TPayload = unknown> = HookParams<TPayload>;
export type TaskSuccessHookParams<
  TPayload = unknown,
  TOutput = unknown,
  TInit = InitOutput,
> = HookParams<TPayload> & WithInit<TInit> & { output: TOutput };
export type TaskFailureHookParams<TPayload = unknown, TInit = InitOutput> = HookParams<TPayload> &
  WithInit<TInit> & { error: unknown };
export type TaskCompleteResult<TOutput> = { ok: true; data: TOutput } | { ok: false; error: unknown };
export type TaskCompleteHookParams<
  TPayload = unknown,
  TOutput = unknown,
  TInit = InitOutput,
> = HookParams<TPayload> & WithInit<TInit> & { result: TaskCompleteResult<TOutput> };
export type TaskCleanupHookParams<TPayload = unknown, TInit = InitOutput> = HookParams<TPayload> &
  WithInit<TInit>;
export type TaskCancelHookParams<
  TPayload = unknown,
  TOutput = unknown,
  TInit = InitOutput,
> = HookParams<TPayload> &
  WithInit<TInit> & {
    /** Settles when the `run` function does. */
    runPromise: Promise<TOutput>;
  };
export type TaskCatchErrorHookParams<TPayload = unknown, TInit = InitOutput> = HookParams<TPayload> &
  WithInit<TInit> & {
    error: unknown;
    /** The task's retry settings. */
    retry?: RetryOptions;
    /** When the next attempt would start. Absent: there would be none. */
    retryAt?: Date;
    retryDelayInMs?: number;
  };
export type TaskMiddlewareHookParams<TPayload = unknown> = HookParams<TPayload> & {
  /** Calls the next middleware, or the task itself. Every middleware has to call it. */
  next: () => Promise<void>;
};
export type TaskWait =
  | { type: "duration"; date: Date }
  | { type: "token"; token: string }
  | { type: "task"; runId: string }
  | { type: "batch"; batchId: string; runCount: number };
export type TaskWaitHookParams<TPayload = unknown, TInit = InitOutput> = HookParams<TPayload> &
  WithInit<TInit> & { wait: TaskWait };

/** The decision of `catchError`. If it returns nothing, the retry settings decide. */
export interface HandleErrorModificationOptions {
  /** No further attempt is made. */
  skipRetrying?: boolean;
  /** The next attempt starts at this time. */
  retryAt?: Date;
  /** The next attempt starts after this many milliseconds. */
  retryDelayInMs?: number;
  /** These settings decide instead of the task's. */
  retry?: RetryOptions;
  /** This error is reported instead of the one thrown. */
  error?: unknown;
}
// biome-ignore lint/suspicious/noConfusingVoidType: as above
export type HandleErrorResult = MaybePromise<HandleErrorModificationOptions | undefined | void>;

// Method-like signatures (`{ f(...): R }["f"]`) compare their parameters bivariantly, so that a hook or task
// of a concrete payload can be stored where any payload is expected; the registry hands each function only
// its own task's values.
export type OnInitHookFunction<TPayload, TInit extends InitOutput = InitOutput> = {
  f(params: TaskInitHookParams<TPayload>): MaybePromise<TInit>;
}["f"];
export type OnStartHookFunction<TPayload, TInit extends InitOutput = InitOutput> = {
  f(params: TaskStartHookParams<TPayload, TInit>): unknown;
}["f"];
export type OnStartAttemptHookFunction<TPayload> = {
  f(params: TaskStartAttemptHookParams<TPayload>): unknown;
}["f"];
export type OnSuccessHookFunction<TPayload, TOutput, TInit extends InitOutput = InitOutput> = {
  f(params: TaskSuccessHookParams<TPayload, TOutput, TInit>): unknown;
}["f"];
export type OnFailureHookFunction<TPayload, TInit extends InitOutput = InitOutput> = {
  f(params: TaskFailureHookParams<TPayload, TInit>): unknown;
}["f"];
export type OnCompleteHookFunction<TPayload, TOutput, TInit extends InitOutput = InitOutput> = {
  f(params: TaskCompleteHookParams<TPayload, TOutput, TInit>): unknown;
}["f"];
export type OnCleanupHookFunction<TPayload, TInit extends InitOutput = InitOutput> = {
  f(params: TaskCleanupHookParams<TPayload, TInit>): unknown;
}["f"];
export type OnCancelHookFunction<TPayload, TOutput = unknown, TInit extends InitOutput = InitOutput> = {
  f(params: TaskCancelHookParams<TPayload, TOutput, TInit>): unknown;
}["f"];
export type OnCatchErrorHookFunction<TPayload, TInit extends InitOutput = InitOutput> = {
  f(params: TaskCatchErrorHookParams<TPayload, TInit>): HandleErrorResult;
}["f"];
export type OnMiddlewareHookFunction<TPayload> = {
  f(params: TaskMiddlewareHookParams<TPayload>): Promise<void>;
}["f"];
export type OnWaitHookFunction<TPayload, TInit extends InitOutput = InitOutput> = {
  f(params: TaskWaitHookParams<TPayload, TInit>): unknown;
}["f"];
export type OnResumeHookFunction<TPayload, TInit extends InitOutput = InitOutput> = OnWaitHookFunction<
  TPayload,
  TInit
>;

export type AnyOnInitHookFunction = OnInitHookFunction<unknown>;
export type AnyOnStartHookFunction = OnStartHookFunction<unknown>;
export type AnyOnStartAttemptHookFunction = OnStartAttemptHookFunction<unknown>;
export type AnyOnSuccessHookFunction = OnSuccessHookFunction<unknown, unknown>;
export type AnyOnFailureHookFunction = OnFailureHookFunction<unknown>;
export type AnyOnCompleteHookFunction = OnCompleteHookFunction<unknown, unknown>;
export type AnyOnCleanupHookFunction = OnCleanupHookFunction<unknown>;
export type AnyOnCancelHookFunction = OnCancelHookFunction<unknown>;
export type AnyOnCatchErrorHookFunction = OnCatchErrorHookFunction<unknown>;
export type AnyOnMiddlewareHookFunction = OnMiddlewareHookFunction<unknown>;
export type AnyOnWaitHookFunction = OnWaitHookFunction<unknown>;
export type AnyOnResumeHookFunction = OnResumeHookFunction<unknown>;

/** The types of hooks, by the name with which a task declares them. */
export interface HookFunctions {
  init: AnyOnInitHookFunction;
  middleware: AnyOnMiddlewareHookFunction;
  onStart: AnyOnStartHookFunction;
  onStartAttempt: AnyOnStartAttemptHookFunction;
  onSuccess: AnyOnSuccessHookFunction;
  onFailure: AnyOnFailureHookFunction;
  onComplete: AnyOnCompleteHookFunction;
  cleanup: AnyOnCleanupHookFunction;
  onCancel: AnyOnCancelHookFunction;
  catchError: AnyOnCatchErrorHookFunction;
  onWait: AnyOnWaitHookFunction;
  onResume: AnyOnResumeHookFunction;
}
export type HookName = keyof HookFunctions;
export const HOOK_NAMES = [
  "init",
  "middleware",
  "onStart",
  "onStartAttempt",
  "onSuccess",
  "onFailure",
  "onComplete",
  "cleanup",
  "onCancel",
  "catchError",
  "onWait",
  "onResume",
] as const satisfies readonly HookName[];
