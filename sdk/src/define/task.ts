import { currentFile, type RegisteredTask, state } from "../run/state.ts";
import { triggerBatch, triggerBatchAndWait } from "../trigger/batch-trigger.ts";
import type { BatchItems, BatchResult } from "../trigger/batch-types.ts";
import { triggerTask, triggerTaskAndWait } from "../trigger/trigger.ts";
import type { TriggerOptions } from "../trigger/trigger-options.ts";
import { callSite } from "../wait/durable.ts";
import { concurrencyOf } from "./concurrency.ts";
import { HOOK_NAMES, type HookFunctions, type InitOutput } from "./hook-types.ts";
import { type inferSchemaIn, parseFunctionOf, type TaskSchema } from "./schema.ts";
import type {
  CommonTaskOptions,
  Task,
  TaskOptions,
  TaskWithSchema,
  TaskWithSchemaOptions,
} from "./task-types.ts";

const TASK = Symbol.for("trigger.dev/task");
/**
 * Methods of a task that do not exist yet. The bundler reports missing names of the SDK, but cannot find
 * these: they throw.
 */
const NOT_YET = ["triggerAndSubscribe"] as const;

/** Defines a task. Export its return value from a file in one of the project's `dirs`. */
export function task<
  TIdentifier extends string,
  TPayload = void,
  TOutput = unknown,
  TInit extends InitOutput = InitOutput,
>(options: TaskOptions<TIdentifier, TPayload, TOutput, TInit>): Task<TIdentifier, TPayload, TOutput> {
  return defineTask(options, {});
}

/** Defines and registers a task, with the given additional properties. */
export function defineTask<TIdentifier extends string, TPayload, TOutput, TInit extends InitOutput>(
  options: TaskOptions<TIdentifier, TPayload, TOutput, TInit>,
  more: Pick<RegisteredTask, "triggerSource" | "schedule">,
): Task<TIdentifier, TPayload, TOutput> {
  const handle: Task<TIdentifier, TPayload, TOutput> = {
    id: options.id,
    description: options.description,
    jsonSchema: options.jsonSchema,
    ...triggersOf<TIdentifier, TPayload, TOutput>(options.id, options.queue, undefined),
  };
  register(options as unknown as Erased, handle, more);
  return handle;
}

/**
 * Defines a task whose payload is checked by a schema when the task is triggered, and again before it runs.
 */
export function schemaTask<
  TIdentifier extends string,
  TSchema extends TaskSchema | undefined = undefined,
  TOutput = unknown,
  TInit extends InitOutput = InitOutput,
>(
  options: TaskWithSchemaOptions<TIdentifier, TSchema, TOutput, TInit>,
): TaskWithSchema<TIdentifier, TSchema, TOutput> {
  const parsePayload = options.schema ? parseFunctionOf(options.schema) : undefined;
  const handle: TaskWithSchema<TIdentifier, TSchema, TOutput> = {
    id: options.id,
    description: options.description,
    jsonSchema: options.jsonSchema,
    schema: options.schema,
    ...triggersOf<TIdentifier, inferSchemaIn<TSchema>, TOutput>(options.id, options.queue, parsePayload),
  };
  register(options as unknown as Erased, handle, { parsePayload, schema: options.schema });
  return handle;
}

type Erased = CommonTaskOptions<string, unknown, unknown>;

type Triggers<TIdentifier extends string, TInput, TOutput> = Pick<
  Task<TIdentifier, TInput, TOutput>,
  "trigger" | "triggerAndWait" | "batchTrigger" | "batchTriggerAndWait"
>;

function triggersOf<TIdentifier extends string, TInput, TOutput>(
  taskId: TIdentifier,
  declared: Erased["queue"],
  parse: ((payload: unknown) => unknown) | undefined,
): Triggers<TIdentifier, TInput, TOutput> {
  const queue = typeof declared === "string" ? declared : declared?.name;
  const entryOf = (item: { payload: unknown; options?: TriggerOptions }) => ({
    ...item,
    taskId,
    parse,
    queue,
  });
  const triggers: Triggers<TIdentifier, TInput, TOutput> = {
    trigger: (payload, options, requestOptions) => {
      const site = callSite(triggers.trigger);
      return triggerTask({ taskId, payload, parse, queue, options, requestOptions, site });
    },
    triggerAndWait: (payload, options, requestOptions) => {
      const site = callSite(triggers.triggerAndWait);
      return triggerTaskAndWait({ taskId, payload, parse, queue, options, requestOptions, site });
    },
    batchTrigger: (items, options, requestOptions) => {
      const site = callSite(triggers.batchTrigger);
      return triggerBatch({
        items: items as BatchItems<Item>,
        entryOf,
        taskId,
        options,
        requestOptions,
        site,
      });
    },
    batchTriggerAndWait: (items, options, requestOptions) => {
      const site = callSite(triggers.batchTriggerAndWait);
      const call = { items: items as BatchItems<Item>, entryOf, taskId, options, requestOptions, site };
      return triggerBatchAndWait(call) as Promise<BatchResult<TIdentifier, TOutput>>;
    },
  };
  return triggers;
}
type Item = { payload: unknown; options?: TriggerOptions };

function register(
  options: Erased,
  handle: object,
  more: Pick<RegisteredTask, "parsePayload" | "schema" | "triggerSource" | "schedule">,
): void {
  if (typeof options.id !== "string" || options.id === "") {
    throw new Error('A task needs an id: task({ id: "my-task", run: async (payload) => { … } })');
  }
  if (typeof options.run !== "function") throw new Error(`Task "${options.id}" needs a run function`);
  const hooks: { [K in keyof HookFunctions]?: HookFunctions[K] } = {};
  for (const name of HOOK_NAMES) {
    const hook = options[name];
    if (typeof hook === "function") Object.assign(hooks, { [name]: hook });
  }
  if (!hooks.catchError && options.handleError) hooks.catchError = options.handleError;
  const { queue, limits } = concurrencyOf(options);
  const registered: RegisteredTask = {
    id: options.id,
    description: options.description,
    handle,
    filePath: currentFile(),
    run: options.run as RegisteredTask["run"],
    hooks,
    retry: options.retry,
    queue,
    limits,
    machine: typeof options.machine === "object" ? options.machine.preset : options.machine,
    maxDuration: options.maxDuration,
    ttl: options.ttl,
    jsonSchema: options.jsonSchema,
    ...more,
  };
  Object.defineProperty(handle, TASK, { value: true });
  for (const name of NOT_YET) {
    const get = (): never => {
      throw new Error(`Task "${options.id}": ${name}() is not available in Acme yet`);
    };
    Object.defineProperty(handle, name, { get });
  }
  state.declared.push(registered);
  state.tasks.set(options.id, registered);
  // A name refers to a queue that is declared elsewhere; an object with a name declares it.
  if (typeof options.queue === "object" && options.queue.name)
    state.queues.push({ ...options.queue, name: options.queue.name });
}
