import type { VitalCounter } from "@acme/durable-objects/lib/vitals";
import type { PlatformVitals } from "./monitor/rpc.ts";
import type { Metric } from "./prometheus-text.ts";

const STATUSES = ["1xx", "2xx", "3xx", "4xx", "5xx"] as const;

/** What isolates reported of their objects: sums over all of a class, and no label that grows with tenants. */
export function vitalMetrics({ isolates, kinds, sockets, counters }: PlatformVitals): Metric[] {
  const figure = (kind: keyof typeof kinds, name: string, of: "sums" | "largest" = "sums"): number =>
    kinds[kind]?.[of][name] ?? 0;
  const one = (name: string, help: string, value: number, type: Metric["type"] = "gauge"): Metric => ({
    name,
    help,
    type,
    samples: [{ value }],
  });
  const counted = (counter: VitalCounter): number => counters[counter] ?? 0;
  return [
    {
      name: "acme_worker_answers_total",
      help: "HTTP responses of the Worker, by status class.",
      type: "counter",
      samples: STATUSES.map((status) => ({ labels: { status }, value: counted(`answers_${status}`) })),
    },
    one("acme_isolates", "Isolates of the Worker that reported within 45 seconds.", isolates),
    {
      name: "acme_objects_awake",
      help: "Objects that did something within the last minute, by class.",
      type: "gauge",
      samples: (["queue", "environment", "dispatcher", "feed"] as const).map((kind) => ({
        labels: { class: kind },
        value: kinds[kind]?.objects ?? 0,
      })),
    },
    one("acme_queue_queued_runs", "Runs that wait in queues that are awake.", figure("queue", "queued")),
    one(
      "acme_queue_queued_runs_largest",
      "Runs that wait in the fullest of these queues.",
      figure("queue", "queued", "largest"),
    ),
    one("acme_queue_executing_runs", "Runs that hold a slot of these queues.", figure("queue", "executing")),
    one(
      "acme_queue_prefetched_permits",
      "Prefetched permits of these queues.",
      figure("queue", "prefetched_permits"),
    ),
    one(
      "acme_queue_unsent_versions",
      "Changes of these queues that the query side does not have yet.",
      figure("queue", "unsent_versions"),
    ),
    one(
      "acme_environment_held_permits",
      "Permits granted by environments that are awake.",
      figure("environment", "held_permits"),
    ),
    one(
      "acme_environment_ready_runs",
      "Runs of these environments that are ready for a host.",
      figure("environment", "ready_runs"),
    ),
    one("acme_dispatcher_polls", "Polls of hosts that wait for runs.", figure("dispatcher", "polls")),
    one("acme_dispatcher_sessions", "Sessions of hosts and of acme dev.", figure("dispatcher", "sessions")),
    one("acme_live_sockets", "Live connections.", sockets),
    one("acme_feed_bytes", "Bytes of logs and spans in feeds that are awake.", figure("feed", "bytes")),
    one(
      "acme_feed_bytes_largest",
      "Bytes of the largest of these feeds.",
      figure("feed", "bytes", "largest"),
    ),
    one("acme_object_alarms_total", "Alarms of objects that fired.", counted("alarms"), "counter"),
    one(
      "acme_object_alarms_late_total",
      "Alarms that fired more than a second late.",
      counted("late_alarms"),
      "counter",
    ),
    one(
      "acme_object_alarm_delay_seconds_total",
      "Total delay of these alarms.",
      counted("alarm_delay_ms") / 1_000,
      "counter",
    ),
  ];
}
