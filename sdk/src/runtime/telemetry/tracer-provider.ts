import {
  type Context,
  context,
  createContextKey,
  INVALID_SPAN_CONTEXT,
  type Span,
  type SpanOptions,
  type Tracer,
  type TracerProvider,
  trace,
} from "@opentelemetry/api";
import { runContext } from "../run-context.ts";

/** Exporters set this key, so that their own requests create no spans. */
const SUPPRESSED = createContextKey("OpenTelemetry SDK Context Key SUPPRESS_TRACING");

/** The tracer of `logger.trace`. */
const LOGGER = "@acme/sdk";

/** Provides tracers whose spans belong to the run that opens them. Outside of a run, nothing is recorded. */
export class RunTracerProvider implements TracerProvider {
  getTracer(name: string, version?: string): Tracer {
    return new RunTracer(name, version);
  }
}

class RunTracer implements Tracer {
  readonly #attributes: Record<string, string>;

  constructor(name: string, version: string | undefined) {
    this.#attributes =
      name === LOGGER
        ? { "acme.kind": "trace" }
        : {
            "acme.kind": "custom",
            ...(name ? { "otel.scope.name": name } : {}),
            ...(version ? { "otel.scope.version": version } : {}),
          };
  }

  startSpan(name: string, options: SpanOptions = {}, parentContext: Context = context.active()): Span {
    const parent = options.root ? undefined : trace.getSpanContext(parentContext);
    const attempt = runContext.getStore()?.attempt;
    if (!attempt || attempt.ended || parentContext.getValue(SUPPRESSED))
      return trace.wrapSpanContext(parent ?? INVALID_SPAN_CONTEXT);
    const attributes = { ...this.#attributes, ...options.attributes };
    return attempt.telemetry.startSpan(name, { ...options, attributes }, parent);
  }

  startActiveSpan<F extends (span: Span) => unknown>(name: string, fn: F): ReturnType<F>;
  startActiveSpan<F extends (span: Span) => unknown>(
    name: string,
    options: SpanOptions,
    fn: F,
  ): ReturnType<F>;
  startActiveSpan<F extends (span: Span) => unknown>(
    name: string,
    options: SpanOptions,
    parentContext: Context,
    fn: F,
  ): ReturnType<F>;
  startActiveSpan<F extends (span: Span) => unknown>(
    name: string,
    ...rest: [F] | [SpanOptions, F] | [SpanOptions, Context, F]
  ): ReturnType<F> {
    const fn = rest.at(-1) as F;
    const options = (rest.length > 1 ? rest[0] : {}) as SpanOptions;
    const parentContext = (rest.length > 2 ? rest[1] : context.active()) as Context;
    const span = this.startSpan(name, options, parentContext);
    return context.with(trace.setSpan(parentContext, span), () => fn(span)) as ReturnType<F>;
  }
}
