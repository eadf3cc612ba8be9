import { context, type Span, SpanKind, SpanStatusCode, trace } from "@opentelemetry/api";
import { TRACEPARENT_HEADER, traceparentOf } from "../../contract/trace-context.ts";
import { state } from "../../run/state.ts";
import { runContext } from "../run-context.ts";

/**
 * Wraps `fetch` so that each call of a task's code gets a span, which the called service can continue
 * (`traceparent`). Calls of the SDK itself get none, nor do calls that an instrumentation of the project
 * records.
 */
export function traced(fetch: typeof globalThis.fetch): typeof globalThis.fetch {
  return async (input, init) => {
    const current = runContext.getStore();
    // Inside a step and in a recorded `fetch`, the caller is the task's code.
    const isOfTask =
      current?.inside === undefined || current.inside === "fetch" || current.inside.startsWith("step ");
    if (!current || !isOfTask || current.attempt.ended || hasInstrumentation()) return fetch(input, init);
    const isRequest = input instanceof Request;
    const address = isRequest ? input.url : String(input);
    const url = URL.canParse(address) ? new URL(address) : undefined;
    const method = (init?.method ?? (isRequest ? input.method : "GET")).toUpperCase();
    const active = context.active();
    const span = current.attempt.telemetry.startSpan(
      fetchSpanName(method, address),
      {
        kind: SpanKind.CLIENT,
        attributes: {
          "acme.kind": "fetch",
          "http.request.method": method,
          // The query string is left out: it often contains keys and signatures.
          "url.full": url ? url.origin + url.pathname : address.slice(0, 500),
          ...(url ? { "server.address": url.hostname } : {}),
        },
      },
      trace.getSpanContext(active),
    );
    return context.with(trace.setSpan(active, span), () =>
      observed(span, () => fetch(input, withTraceparent(input, init, span))),
    );
  };
}

export const fetchSpanName = (method: string, address: string): string =>
  `${method} ${URL.canParse(address) ? new URL(address).host : address.slice(0, 100)}`;

async function observed(span: Span, call: () => Promise<Response>): Promise<Response> {
  try {
    const response = await call();
    span.setAttribute("http.response.status_code", response.status);
    if (response.status >= 400)
      span.setStatus({ code: SpanStatusCode.ERROR, message: `HTTP ${response.status}` });
    return response;
  } catch (error) {
    if (error instanceof Error) span.recordException(error);
    span.setStatus({
      code: SpanStatusCode.ERROR,
      message: error instanceof Error ? error.message : String(error),
    });
    throw error;
  } finally {
    span.end();
  }
}

function withTraceparent(
  input: string | URL | Request,
  init: RequestInit | undefined,
  span: Span,
): RequestInit | undefined {
  const headers = new Headers(init?.headers ?? (input instanceof Request ? input.headers : undefined));
  if (headers.has(TRACEPARENT_HEADER)) return init;
  headers.set(TRACEPARENT_HEADER, traceparentOf(span.spanContext()));
  return { ...init, headers };
}

/** The project records its calls itself. */
const hasInstrumentation = (): boolean =>
  state.config.telemetry?.instrumentations
    ?.flat()
    .some(({ instrumentationName = "" }) => /undici|fetch/.test(instrumentationName)) ?? false;
