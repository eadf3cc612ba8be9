import type { MetricPoint, SpanRecord } from "../../contract/telemetry.ts";
import type { Channel } from "../channel.ts";

const FLUSH_MS = 200;
/** If more characters than this wait, they are sent at once. */
const FLUSH_CHARS = 64 * 1_024;

/** Spans and metric points of one attempt, on their way to the host in batches. */
export class TelemetryBuffer {
  readonly #channel: Channel;
  readonly #prefix: string;
  #spans: string[] = [];
  #metrics: string[] = [];
  #chars = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(channel: Channel, runId: string, attempt: number) {
    this.#channel = channel;
    this.#prefix = `{"type":"telemetry","runId":${JSON.stringify(runId)},"attempt":${attempt}`;
  }

  addSpan(span: SpanRecord): void {
    this.#spans.push(this.#added(JSON.stringify(span)));
  }

  addMetric(point: MetricPoint): void {
    this.#metrics.push(this.#added(JSON.stringify(point)));
  }

  #added(json: string): string {
    this.#chars += json.length;
    if (this.#chars > FLUSH_CHARS) queueMicrotask(this.flush);
    else this.#timer ??= setTimeout(this.flush, FLUSH_MS);
    return json;
  }

  /** Sends what was not sent yet. Leaves no timer behind. */
  readonly flush = (): void => {
    if (this.#timer) clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#chars === 0) return;
    const spans = `,"spans":[${this.#spans.join(",")}]`;
    this.#channel.sendLine(`${this.#prefix}${spans},"metrics":[${this.#metrics.join(",")}]}`);
    this.#spans = [];
    this.#metrics = [];
    this.#chars = 0;
  };
}
