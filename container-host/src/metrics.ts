import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";
import type { Counts } from "./telemetry/disk-buffer.ts";

const LATENCY = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

/**
 * A counter that is read when Prometheus scrapes, because the library's own counters are too slow for events
 * of each run.
 */
class Tally {
  value = 0;

  inc(by = 1): void {
    this.value += by;
  }
}

/** A host's metrics, in Prometheus's text format. */
export class HostMetrics {
  readonly registry = new Registry();
  readonly started = this.#counter("acme_host_attempts_started_total", "Attempts assigned to a runtime.");
  readonly #ended = new Map<string, Tally & { labels: { outcome: string; code: string } }>();
  readonly coldStarts = this.#histogram(
    "acme_host_runtime_start_seconds",
    "Starts of containers or processes.",
  );
  readonly warmStarts = this.#counter("acme_host_warm_starts_total", "Runs that a warm runtime took.");
  readonly restores = this.#histogram(
    "acme_host_restore_seconds",
    "Time to restore a saved process, until it runs again.",
  );
  readonly checkpoints = this.#counter("acme_host_checkpoints_total", "Processes saved.");
  readonly failedCheckpoints = this.#counter(
    "acme_host_failed_checkpoints_total",
    "Processes that could not be saved: their runs are replayed.",
  );
  readonly checkpointHangs = new Counter({
    name: "acme_host_checkpoint_hangs_total",
    help: "Saves and restores that passed their deadline and were killed, including those of self-tests.",
    labelNames: ["step"] as const,
    registers: [this.registry],
  });
  readonly polls = this.#histogram("acme_host_poll_seconds", "Polls that returned runs.");
  readonly emptyPolls = this.#counter("acme_host_empty_polls_total", "Polls that returned no runs.");
  readonly failedPolls = this.#counter("acme_host_failed_polls_total", "Polls without an answer.");
  readonly reports = this.#histogram("acme_host_report_seconds", "Reports.");
  readonly reportItems = this.#counter(
    "acme_host_report_items_total",
    "Starts, journals, ends, suspensions and heartbeats reported.",
  );
  readonly failedReports = this.#counter("acme_host_failed_reports_total", "Reports without an answer.");
  readonly #droppedLogs = this.#counter("acme_host_dropped_log_entries_total", "Log entries not sent.");
  readonly #droppedSpans = this.#counter("acme_host_dropped_spans_total", "Spans not sent.");
  readonly #droppedMetrics = this.#counter(
    "acme_host_dropped_metric_points_total",
    "Metric points not sent.",
  );

  constructor() {
    const ended = this.#ended;
    new Counter({
      name: "acme_host_attempts_ended_total",
      help: "Attempts that ended, by outcome (lost: the lease had ended) and error code.",
      labelNames: ["outcome", "code"] as const,
      registers: [this.registry],
      collect() {
        this.reset();
        for (const { labels, value } of ended.values()) this.inc(labels, value);
      },
    });
    collectDefaultMetrics({ register: this.registry, prefix: "acme_host_" });
  }

  /** Counts an attempt that ended. */
  ended(outcome: string, code: string): void {
    const key = `${outcome} ${code}`;
    let tally = this.#ended.get(key);
    if (!tally) {
      tally = Object.assign(new Tally(), { labels: { outcome, code } });
      this.#ended.set(key, tally);
    }
    tally.inc();
  }

  dropped({ logs, spans, metrics }: Counts): void {
    this.#droppedLogs.inc(logs);
    this.#droppedSpans.inc(spans);
    this.#droppedMetrics.inc(metrics);
  }

  /** A gauge, whose value is read at each scrape. */
  gauge(name: string, help: string, read: () => number): void {
    new Gauge({
      name: `acme_host_${name}`,
      help,
      registers: [this.registry],
      collect() {
        this.set(read());
      },
    });
  }

  #counter(name: string, help: string): Tally {
    const tally = new Tally();
    new Counter({
      name,
      help,
      registers: [this.registry],
      collect() {
        this.reset();
        this.inc(tally.value);
      },
    });
    return tally;
  }

  #histogram(name: string, help: string): Histogram {
    return new Histogram({ name, help, buckets: LATENCY, registers: [this.registry] });
  }
}

export interface Health {
  ok: boolean;
  [fact: string]: unknown;
}

/** Serves `/metrics` and `/healthz`. Returns the base URL and a function that stops it. */
export async function serveMetrics(
  metrics: HostMetrics,
  health: () => Health,
  address: { host: string; port: number },
): Promise<{ url: string; close(): Promise<void> }> {
  const server = createServer(async (request, response) => {
    const path = request.url?.split("?")[0];
    if (path === "/metrics") {
      const text = await metrics.registry.metrics();
      response.writeHead(200, { "content-type": metrics.registry.contentType }).end(text);
    } else if (path === "/healthz") {
      const facts = health();
      response
        .writeHead(facts.ok ? 200 : 503, { "content-type": "application/json" })
        .end(JSON.stringify(facts));
    } else {
      response.writeHead(404, { "content-type": "text/plain" }).end("Not found: try /metrics or /healthz\n");
    }
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(address.port, address.host, resolve);
  });
  const { port } = server.address() as AddressInfo;
  const host = address.host.includes(":") ? `[${address.host}]` : address.host;
  return {
    url: `http://${host}:${port}`,
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}
