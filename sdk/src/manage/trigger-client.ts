import type { ApiClientConfiguration } from "../client/configuration.ts";
import { withConfiguration } from "../client/configuration-scope.ts";
import { batch } from "../trigger/batch.ts";
import { tasks } from "../trigger/tasks.ts";
import { auth } from "./auth.ts";
import { deployments } from "./deployments.ts";
import { envvars } from "./envvars.ts";
import { queues } from "./queues.ts";
import { runs } from "./runs.ts";
import { schedules } from "./schedules.ts";

export interface TriggerClientConfig extends ApiClientConfiguration {
  /** Inside a run, what it triggers is a child of that run. Default: false. */
  inheritContext?: boolean;
}

type Bound<T, K extends keyof T> = Readonly<Pick<T, K>>;

/**
 * A client with a server and a key of its own, for processes that call several: `new TriggerClient({ baseURL, accessToken })`.
 * `configure()` and `auth.withAuth()` do not change it; what it is not given comes from the environment's variables.
 */
export class TriggerClient {
  readonly tasks: Bound<typeof tasks, "trigger" | "batchTrigger">;
  readonly runs: typeof runs;
  readonly batch: Bound<typeof batch, "trigger" | "triggerByTask" | "retrieve">;
  readonly deployments: typeof deployments;
  readonly envvars: typeof envvars;
  readonly queues: typeof queues;
  readonly schedules: Bound<
    typeof schedules,
    "activate" | "create" | "deactivate" | "del" | "list" | "retrieve" | "update"
  >;
  readonly auth: Bound<
    typeof auth,
    "createPublicToken" | "createTriggerPublicToken" | "createBatchTriggerPublicToken"
  >;

  constructor({ inheritContext = false, ...config }: TriggerClientConfig = {}) {
    const scope = { ...config, isIsolated: true, isDetached: !inheritContext };
    const bind = <T extends object>(api: T): T => bound(api, (call) => withConfiguration(scope, call));
    const { trigger, batchTrigger } = tasks;
    this.tasks = bind({ trigger, batchTrigger });
    this.runs = bind(runs);
    this.batch = bind({
      trigger: batch.trigger,
      triggerByTask: batch.triggerByTask,
      retrieve: batch.retrieve,
    });
    this.deployments = bind(deployments);
    this.envvars = bind(envvars);
    this.queues = bind(queues);
    const { activate, create, deactivate, del, list, retrieve, update } = schedules;
    this.schedules = bind({ activate, create, deactivate, del, list, retrieve, update });
    const { createPublicToken, createTriggerPublicToken, createBatchTriggerPublicToken } = auth;
    this.auth = bind({ createPublicToken, createTriggerPublicToken, createBatchTriggerPublicToken });
  }
}

/** The same functions, also those of objects in it, each called in the scope. */
function bound<T extends object>(api: T, inScope: (call: () => unknown) => unknown): T {
  return new Proxy(api, {
    get(target, name, receiver) {
      const value: unknown = Reflect.get(target, name, receiver);
      if (typeof value === "function") return (...args: unknown[]) => inScope(() => value(...args));
      return typeof value === "object" && value !== null ? bound(value, inScope) : value;
    },
  });
}
