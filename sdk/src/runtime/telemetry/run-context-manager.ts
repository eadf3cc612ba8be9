import { type Context, createContextKey, ROOT_CONTEXT } from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import { runContext } from "../run-context.ts";

/** What code sets that wants no span around it. */
const CHOSEN_ROOT = ROOT_CONTEXT.setValue(createContextKey("acme chosen root"), true);

/**
 * The context that code set by OpenTelemetry's API, or else that of the run it belongs to. A run's context is made when
 * it is first used, because most runs open no span.
 */
class RunContextManager extends AsyncLocalStorageContextManager {
  override active(): Context {
    return this.chosen() ?? runContext.getStore()?.attempt.telemetry.context ?? ROOT_CONTEXT;
  }

  /** What code set by OpenTelemetry's API; undefined: nothing. */
  chosen(): Context | undefined {
    const active = super.active();
    return active === ROOT_CONTEXT ? undefined : active;
  }

  override with<A extends unknown[], F extends (...args: A) => ReturnType<F>>(
    context: Context,
    fn: F,
    thisArg?: ThisParameterType<F>,
    ...args: A
  ): ReturnType<F> {
    return super.with(context === ROOT_CONTEXT ? CHOSEN_ROOT : context, fn, thisArg, ...args);
  }
}

export const contextManager = new RunContextManager();
