import {
  type Context,
  context,
  INVALID_SPAN_CONTEXT,
  ROOT_CONTEXT,
  type Span,
  type SpanContext,
  type SpanOptions,
  TraceFlags,
  trace,
} from "@opentelemetry/api";
import type { AttemptOutcome, DequeuedRun } from "../../contract/host-protocol.ts";
import type { JournalEntry } from "../../contract/journal.ts";
import type { SpanRecord } from "../../contract/telemetry.ts";
import { TELEMETRY_LIMITS } from "../../contract/telemetry-limits.ts";
import { cutMiddle } from "../../contract/text.ts";
import {
  operationAttributes,
  operationSpanKind,
  spanIdOfAttempt,
  spanIdOfCall,
  spanIdOfOperation,
  spanIdOfRun,
  traceIdOfRun,
} from "../../contract/trace-context.ts";
import { preciseNow } from "./precise-now.ts";
import { RecordedSpan } from "./recorded-span.ts";
import { contextManager } from "./run-context-manager.ts";
import type { TelemetryBuffer } from "./telemetry-buffer.ts";

/** A span that is open for longer than this is sent before its end, so that it can be seen. */
const OPEN_MS = 1_000;

/** Further receivers of ended spans: the exporters of the project's configuration. */
export type SpanListener = (span: SpanRecord) => void;

/** Changes a span before it is sent. `isEnded` false: it is shown before its end. */
export type SpanChange = (span: SpanRecord, isEnded: boolean) => SpanRecord;

/**
 * The spans of one attempt: those of the attempt itself, of its durable operations, and those that its code
 * opens with OpenTelemetry. Their ids are derived from the run's id, so a replay names the same spans and the
 * trace has no duplicates. An attempt whose code opens no span sends none, because the run's owner knows the
 * attempt and its operations.
 */
export class AttemptTelemetry {
  readonly #run: DequeuedRun;
  readonly #buffer: TelemetryBuffer;
  readonly #isReplaying: () => boolean;
  readonly #listeners: ReadonlySet<SpanListener>;
  readonly #change: SpanChange;
  readonly #startTime = preciseNow();
  readonly #operations = new Map<number, SpanRecord>();
  readonly #open = new Set<RecordedSpan>();
  /** The number of spans with this parent and name that were opened. */
  readonly #calls = new Map<string, number>();
  #spans = 0;
  #sent = 0;
  #dropped = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #traceId: string | undefined;
  #spanId: string | undefined;
  #context: Context | undefined;

  constructor(
    run: DequeuedRun,
    buffer: TelemetryBuffer,
    isReplaying: () => boolean,
    listeners: ReadonlySet<SpanListener>,
    change: SpanChange = (span) => span,
  ) {
    this.#run = run;
    this.#buffer = buffer;
    this.#isReplaying = isReplaying;
    this.#listeners = listeners;
    this.#change = change;
  }

  // Created on first use, because most attempts record nothing.
  get traceId(): string {
    this.#traceId ??= traceIdOfRun(this.#run.runId, this.#run.traceparent);
    return this.#traceId;
  }

  get spanId(): string {
    this.#spanId ??= spanIdOfAttempt(this.#run.runId, this.#run.attempt);
    return this.#spanId;
  }

  /** Where the task's code runs. */
  get context(): Context {
    this.#context ??= this.#contextOf(this.spanId);
    return this.#context;
  }

  /**
   * Returns the ids of the span that the caller is in, if it is not the attempt's own. Log lines carry them.
   */
  activeSpan(): { traceId: string; spanId: string } | undefined {
    const chosen = contextManager.chosen();
    if (chosen === undefined || chosen === this.#context) return undefined;
    const active = trace.getSpanContext(chosen);
    return active && active.spanId !== this.spanId && active !== INVALID_SPAN_CONTEXT ? active : undefined;
  }

  /**
   * Calls `fn` in the span of an operation, which becomes the parent of everything that `fn` triggers,
   * fetches and opens.
   */
  within<T>(entry: JournalEntry, fn: () => T): T {
    return context.with(this.#contextOf(this.#operationId(entry)), fn);
  }

  operationBegins(entry: JournalEntry): void {
    const { number, kind, name } = entry;
    this.#operations.set(number, {
      ...this.#ids(this.#operationId(entry), this.spanId),
      service: null,
      name: cutMiddle(name, TELEMETRY_LIMITS.nameBytes),
      kind: operationSpanKind(kind),
      startTime: entry.startedAt,
      endTime: null,
      status: "unset",
      attributes: {},
      events: [],
      links: [],
    });
  }

  /** The task's code gets the operation's result now. `isNew`: it did not get it in an earlier process. */
  operationEnds(entry: JournalEntry, isNew: boolean): void {
    const record = this.#operations.get(entry.number);
    this.#operations.delete(entry.number);
    if (!record || !isNew) return;
    const { result } = entry;
    record.attributes = operationAttributes(entry);
    record.endTime = Math.max(entry.completedAt ?? entry.until ?? preciseNow(), record.startTime);
    if (result && !result.ok) {
      record.status = "error";
      const { error } = result;
      record.message = cutMiddle(
        ("message" in error && error.message) || error.type,
        TELEMETRY_LIMITS.attributeValueBytes,
      );
    }
    this.#send(record);
  }

  /** Starts a span of the task's code or of a library. */
  startSpan(name: string, options: SpanOptions, parent: SpanContext | undefined): Span {
    if (this.#spans >= TELEMETRY_LIMITS.spansPerAttempt) {
      this.#dropped += 1;
      return trace.wrapSpanContext(parent ?? INVALID_SPAN_CONTEXT);
    }
    this.#spans += 1;
    const parentId = this.#parentOf(parent);
    const ordinal = this.#count(parentId, name);
    const ids = this.#ids(spanIdOfCall(this.#run.runId, parentId, name, ordinal), parentId);
    const span = new RecordedSpan(ids, name, options, this.#isReplaying(), (ended) => this.#spanEnded(ended));
    this.#open.add(span);
    this.#timer ??= setTimeout(() => this.#showOpen(), OPEN_MS);
    this.#timer.unref();
    return span;
  }

  /** Counts a span that a replay does not open again, so that later spans get the same ids as before. */
  replayedCall(name: string): void {
    this.#count(this.#parentOf(trace.getSpanContext(context.active())), name);
  }

  #parentOf(parent: SpanContext | undefined): string {
    return parent?.traceId === this.traceId ? parent.spanId : this.spanId;
  }

  #count(parentId: string, name: string): number {
    const key = `${parentId} ${name}`;
    const ordinal = this.#calls.get(key) ?? 0;
    this.#calls.set(key, ordinal + 1);
    return ordinal;
  }

  /** The attempt is suspended and may resume in another process, so open spans are sent unfinished. */
  suspend(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    for (const span of this.#open) this.#sendOpen(span);
    this.#buffer.flush();
  }

  end(outcome: AttemptOutcome): { dropped: number } {
    clearTimeout(this.#timer);
    for (const span of [...this.#open])
      if (span.isKnown || !span.isReplayed) this.#buffer.addSpan(this.#change(span.record, false));
    this.#open.clear();
    if (this.#isUsed) this.#send(this.#ownSpan(outcome));
    this.#buffer.flush();
    return { dropped: this.#dropped };
  }

  /** Nothing more of the attempt happens in this process. */
  forget(): void {
    clearTimeout(this.#timer);
    this.#buffer.flush();
  }

  get #isUsed(): boolean {
    return this.#spans > 0 || this.#sent > 0 || this.#listeners.size > 0;
  }

  #send(span: SpanRecord): void {
    this.#sent += 1;
    const record = this.#change(span, true);
    this.#buffer.addSpan(record);
    for (const listener of this.#listeners) listener(record);
  }

  #ownSpan(outcome: AttemptOutcome): SpanRecord {
    const error = outcome.type === "failure" ? outcome.error : undefined;
    const { taskId, runId, attempt } = this.#run;
    return {
      ...this.#ids(this.spanId, spanIdOfRun(runId)),
      service: null,
      name: `Attempt ${attempt}`,
      kind: "internal",
      startTime: this.#startTime,
      endTime: preciseNow(),
      status: error ? "error" : "unset",
      ...(error && "message" in error && error.message
        ? { message: cutMiddle(error.message, TELEMETRY_LIMITS.attributeValueBytes) }
        : {}),
      attributes: { "acme.kind": "attempt", "acme.task": taskId },
      events: [],
      links: [],
    };
  }

  #spanEnded(span: RecordedSpan): void {
    this.#open.delete(span);
    // The span began and ended before the run was suspended, and was sent then.
    if (span.isReplayed && this.#isReplaying()) return;
    this.#send(span.record);
  }

  #showOpen(): void {
    this.#timer = undefined;
    const now = preciseNow();
    for (const span of this.#open) if (now - span.record.startTime >= OPEN_MS) this.#sendOpen(span);
    if ([...this.#open].some(({ isKnown }) => !isKnown)) {
      this.#timer = setTimeout(() => this.#showOpen(), OPEN_MS);
      this.#timer.unref();
    }
  }

  #sendOpen(span: RecordedSpan): void {
    if (span.isKnown || this.#isReplaying()) return;
    span.isKnown = true;
    this.#buffer.addSpan(this.#change(span.record, false));
  }

  #operationId({ number }: JournalEntry): string {
    return spanIdOfOperation(this.#run.runId, this.#run.attempt, number);
  }

  #ids(spanId: string, parentSpanId: string) {
    const { runId, attempt } = this.#run;
    return { traceId: this.traceId, spanId, parentSpanId, runId, attempt };
  }

  #contextOf(spanId: string): Context {
    return trace.setSpanContext(ROOT_CONTEXT, {
      traceId: this.traceId,
      spanId,
      traceFlags: TraceFlags.SAMPLED,
    });
  }
}
