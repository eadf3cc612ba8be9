import type { LogEntry } from "../contract/host-protocol.ts";
import type { MachinePreset } from "../contract/machines.ts";
import type { RetryOptions, ScheduleManifest } from "../contract/manifest.ts";
import type { HookFunctions } from "../define/hook-types.ts";
import type { QueueLimitOptions, QueueOptions } from "../define/queue.ts";
import type { DurableScope } from "../wait/durable.ts";
import type { Context } from "./context.ts";
import type { RunMetadata } from "./run-metadata.ts";

/**
 * State that all copies of the SDK in one process share: the bundle of a project carries its own copy, the runtime that
 * executes it has another. It hangs on `globalThis` under a registered symbol; the number in it changes when its
 * shape breaks.
 */
export interface SdkState {
  /** Every `task()` call, in order; an id can occur twice, which the indexer reports. */
  declared: RegisteredTask[];
  tasks: Map<string, RegisteredTask>;
  /** Every `queue()` call. */
  queues: DeclaredQueue[];
  hooks: { [K in keyof HookFunctions]: HookFunctions[K][] };
  /** Defaults of the project's configuration file. */
  config: ProjectDefaults;
  /** The run that the caller is part of; installed by the runtime. */
  currentRun: (() => RunScope | undefined) | undefined;
}

export type DeclaredQueue = QueueOptions;

interface ProjectDefaults {
  retry?: RetryOptions;
  /** False: attempts that fail in a DEVELOPMENT environment are not retried. */
  retryInDev?: boolean;
  machine?: MachinePreset;
  /** Seconds. */
  maxDuration?: number;
  ttlMs?: number;
  /** A run that has to wait longer is suspended. */
  suspendAfterMs?: number;
  record?: RecordSettings;
  /** False: what tasks write to the console becomes log entries only. */
  consoleOutput?: boolean;
  logLevel?: "none" | "error" | "warn" | "info" | "log" | "debug";
}

/** What plain code of a run gets again when the run is replayed. */
export interface RecordSettings {
  /** `Date.now()` and `new Date()`. Default true. */
  now?: boolean;
  /** `Math.random()` and `crypto.randomUUID()`. Default true. */
  random?: boolean;
  /** Responses of `fetch`. Default true. */
  fetch?: boolean;
  /** Most bytes that are recorded between two operations; values beyond that are not recorded. Default and maximum 204,800. */
  maxBytes?: number;
}

/** A task as the runtime and the indexer see it: what `task()` was called with, payload and output types erased. */
export interface RegisteredTask {
  id: string;
  description?: string;
  /** The object that `task()` returned: tells the export's name. */
  handle: object;
  filePath: string | undefined;
  exportName?: string;
  run: (payload: unknown, params: { ctx: Context; init?: unknown; signal: AbortSignal }) => unknown;
  parsePayload?: (payload: unknown) => unknown;
  /** The schema given to `schemaTask`, for its JSON schema. */
  schema?: unknown;
  jsonSchema?: unknown;
  hooks: { [K in keyof HookFunctions]?: HookFunctions[K] };
  retry?: RetryOptions;
  queue?: QueueLimitOptions & { name?: string };
  machine?: MachinePreset;
  /** Seconds. */
  maxDuration?: number;
  ttl?: string | number;
  /** Defined with `schedules.task`. */
  triggerSource?: "schedule";
  schedule?: ScheduleManifest;
}

/** One attempt in progress, as the SDK's functions (`logger`, `metadata`, `locals`, …) use it. */
export interface RunScope {
  readonly ctx: Context;
  readonly signal: AbortSignal;
  readonly locals: Map<symbol, unknown>;
  readonly metadata: RunMetadata;
  /** `performance.now()` at the attempt's start, later by the time it was suspended. */
  readonly startedAt: number;
  /** The run's journal. */
  readonly durable: DurableScope;
  /** What was done before the run was suspended is being done again: nothing is to be logged or changed outside. */
  readonly replaying: boolean;
  log(level: LogEntry["level"], message: string, properties?: object): void;
}

const KEY = Symbol.for("acme.sdk.v1");
const CURRENT_FILE = Symbol.for("acme.sdk.currentFile");

function createState(): SdkState {
  return {
    declared: [],
    tasks: new Map(),
    queues: [],
    hooks: {
      init: [],
      middleware: [],
      onStart: [],
      onStartAttempt: [],
      onSuccess: [],
      onFailure: [],
      onComplete: [],
      cleanup: [],
      onCancel: [],
      catchError: [],
      onWait: [],
      onResume: [],
    },
    config: {},
    currentRun: undefined,
  };
}

const holder = globalThis as { [KEY]?: SdkState };
holder[KEY] ??= createState();

export const state: SdkState = holder[KEY];

/** The attempt that the caller is part of; undefined outside of a task. */
export const currentRun = (): RunScope | undefined => state.currentRun?.();

/** Source file whose module body runs now, relative to the project, where the bundle says so: see `bundle.ts`. */
export const currentFile = (): string | undefined =>
  (globalThis as { [CURRENT_FILE]?: string })[CURRENT_FILE];
