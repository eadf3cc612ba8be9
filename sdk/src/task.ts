import { HOOK_NAMES, type HookFunctions, type InitOutput } from "./hook-types.ts";
import { parseFunctionOf, type TaskSchema } from "./schema.ts";
import { currentFile, type RegisteredTask, state } from "./state.ts";
import type {
  CommonTaskOptions,
  Task,
  TaskOptions,
  TaskWithSchema,
  TaskWithSchemaOptions,
} from "./task-types.ts";
import { triggerTask } from "./trigger.ts";
import type { TriggerOptions } from "./trigger-options.ts";

const TASK = Symbol.for("trigger.dev/task");
/** The bundler finds missing names of the SDK itself, but not those of a task: using one says what is the matter. */
const NOT_YET = ["batchTrigger", "triggerAndWait", "batchTriggerAndWait", "triggerAndSubscribe"] as const;

/** Defines a task: export what it returns from a file that the project's `dirs` include. */
export function task<
  TIdentifier extends string,
  TPayload = void,
  TOutput = unknown,
  TInit extends InitOutput = InitOutput,
>(options: TaskOptions<TIdentifier, TPayload, TOutput, TInit>): Task<TIdentifier, TPayload, TOutput> {
  const handle: Task<TIdentifier, TPayload, TOutput> = {
    id: options.id,
    description: options.description,
    jsonSchema: options.jsonSchema,
    trigger: (payload, triggerOptions, requestOptions) =>
      triggerTask(options.id, payload, withQueue(options.queue, triggerOptions), requestOptions),
  };
  register(options as unknown as Erased, handle, {});
  return handle;
}

/** A task whose payload is checked by a schema, when it is triggered through it and again before it runs. */
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
    trigger: async (payload, triggerOptions, requestOptions) => {
      // Checked here so that the caller learns of a bad payload; sent as parsed, so that defaults are filled in.
      const parsed: unknown = parsePayload ? await parsePayload(payload) : payload;
      return triggerTask(options.id, parsed, withQueue(options.queue, triggerOptions), requestOptions);
    },
  };
  register(options as unknown as Erased, handle, { parsePayload, schema: options.schema });
  return handle;
}

type Erased = CommonTaskOptions<string, unknown, unknown>;

/** The task's own queue, where the trigger names none. */
function withQueue(queue: Erased["queue"], options: TriggerOptions | undefined): TriggerOptions | undefined {
  const name = typeof queue === "string" ? queue : queue?.name;
  return name && !options?.queue ? { ...options, queue: name } : options;
}

function register(
  options: Erased,
  handle: object,
  more: Pick<RegisteredTask, "parsePayload" | "schema">,
): void {
  if (typeof options.id !== "string" || options.id === "") {
    throw new Error('A task needs an id: task({ id: "my-task", run: async (payload) => { … } })');
  }
  if (typeof options.run !== "function") throw new Error(`Task "${options.id}" needs a run function`);
  if ("concurrency" in options) {
    throw new Error(
      `Task "${options.id}": the option "concurrency" is not available in Acme yet; queue: { concurrencyLimit: 10 } limits a task too`,
    );
  }
  const hooks: { [K in keyof HookFunctions]?: HookFunctions[K] } = {};
  for (const name of HOOK_NAMES) {
    const hook = options[name];
    if (typeof hook === "function") Object.assign(hooks, { [name]: hook });
  }
  if (!hooks.catchError && options.handleError) hooks.catchError = options.handleError;
  const queue = typeof options.queue === "string" ? { name: options.queue } : options.queue;
  const registered: RegisteredTask = {
    id: options.id,
    description: options.description,
    handle,
    filePath: currentFile(),
    run: options.run as RegisteredTask["run"],
    hooks,
    retry: options.retry,
    queue,
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
  // A name alone refers to a queue declared elsewhere; an object with a name declares it.
  if (typeof options.queue === "object" && options.queue.name) {
    state.queues.push({ name: options.queue.name, concurrencyLimit: options.queue.concurrencyLimit });
  }
}
