import type { LogEntry } from "../contract/log-entry.ts";
import type { MachinePreset } from "../contract/machines.ts";
import type { RetryOptions, ScheduleManifest } from "../contract/manifest.ts";
import type { HookFunctions } from "../define/hook-types.ts";
import type { QueueLimitOptions, QueueOptions } from "../define/queue.ts";
import type { TelemetrySettings } from "../define/telemetry-settings.ts";
import type { DurableScope } from "../wait/durable.ts";
import type { Context } from "./context.ts";
import type { RunMetadata } from "./run-metadata.ts";

/**
 * The state that all copies of the SDK in one process share: the bundle of a project contains one copy, and
 * the runtime that executes it another. It is a property of `globalThis` under a registered symbol, whose
 * number changes when the shape of the state changes incompatibly.
 */
export interface SdkState {
  /** Every `task()` call, in order. An id can occur twice; the indexer reports that. */
  declared: RegisteredTask[];
  tasks: Map<string, RegisteredTask>;
  /** Every `queue()` call. */
  queues: DeclaredQueue[];
  /** Every `concurrencyLimit()` call, and the limits of tasks in shared queues. */
  limits?: DeclaredLimit[];
  hooks: { [K in keyof HookFunctions]: HookFunctions[K][] };
  /** Defaults from the project's configuration file. */
  config: ProjectDefaults;
  /** Returns the run that the caller is part of. Installed by the runtime. */
  currentRun: (() => RunScope | undefined) | undefined;
}

export type DeclaredQueue = QueueOptions;

export interface DeclaredLimit {
  name: string;
  perKey?: number;
  total?: number;
}

interface ProjectDefaults {
  retry?: RetryOptions;
  /** False: attempts that fail in a DEVELOPMENT environment are not retried. */
  retryInDev?: boolean;
  machine?: MachinePreset;
  /** Seconds. */
  maxDuration?: number;
  ttlMs?: number;
  /** A run that waits for longer than this is suspended. */
  suspendAfterMs?: number;
  record?: RecordSettings;
  /** False: console output of tasks goes to the run's log only. */
  consoleOutput?: boolean;
  telemetry?: TelemetrySettings;
  logLevel?: "none" | "error" | "warn" | "info" | "log" | "debug";
}

/** Which values are recorded, so that plain code gets the same ones when the run is replayed. */
export interface RecordSettings {
  /** `Date.now()` and `new Date()`. Default true. */
  now?: boolean;
  /** `Math.random()` and `crypto.randomUUID()`. Default true. */
  random?: boolean;
  /** Responses of `fetch`. Default true. */
  fetch?: boolean;
  /**
   * Most bytes that are recorded between two operations; values beyond that are not recorded. Default and
   * maximum 204,800.
   */
  maxBytes?: number;
}

/**
 * A task as the runtime and the indexer see it: the options of `task()`, with the payload and output types
 * erased.
 */
export interface RegisteredTask {
  id: string;
  description?: string;
  /** The object that `task()` returned, by which the export's name is found. */
  handle: object;
  filePath: string | undefined;
  exportName?: string;
  run: (payload: unknown, params: { ctx: Context; init?: unknown; signal: AbortSignal }) => unknown;
  parsePayload?: (payload: unknown) => unknown;
  /** The schema of a `schemaTask`, from which its JSON schema is made. */
  schema?: unknown;
  jsonSchema?: unknown;
  hooks: { [K in keyof HookFunctions]?: HookFunctions[K] };
  retry?: RetryOptions;
  queue?: QueueLimitOptions & { name?: string };
  /** Names of the concurrency limits that its runs hold in addition to those of the queue. */
  limits?: string[];
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
  /** `performance.now()` at the attempt's start, plus the time during which it was suspended. */
  readonly startedAt: number;
  /** The run's journal. */
  readonly durable: DurableScope;
  /**
   * True while the run repeats what it did before it was suspended: nothing is logged, and nothing outside is
   * changed.
   */
  readonly replaying: boolean;
  /** Promises that must settle before the run ends: its streams that are still being written. */
  readonly pending: Set<Promise<void>>;
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

/** Returns the attempt that the caller is part of, or undefined outside of a task. */
export const currentRun = (): RunScope | undefined => state.currentRun?.();

/**
 * Returns the source file whose module body is running, relative to the project, if the bundle records it:
 * see `bundle.ts`.
 */
export const currentFile = (): string | undefined =>
  (globalThis as { [CURRENT_FILE]?: string })[CURRENT_FILE];
