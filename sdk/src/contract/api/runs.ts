import { z } from "zod";
import { parseRunId } from "../ids.ts";
import { isShallow, MAX_JSON_DEPTH } from "../json-depth.ts";
import { QueueName } from "../manifest.ts";
import { ErrorId } from "./errors.ts";
import { commaList, QueryText, RangeQuery, wholeNumber } from "./queries.ts";
import { ScheduleGenerator } from "./schedules.ts";
import { Delay, Reference, RunTags, TriggerOptions } from "./trigger.ts";

export const PUBLIC_STATUSES = [
  "PENDING_VERSION",
  "QUEUED",
  "DEQUEUED",
  "EXECUTING",
  "WAITING",
  "COMPLETED",
  "CANCELED",
  "FAILED",
  "CRASHED",
  "SYSTEM_FAILURE",
  "DELAYED",
  "EXPIRED",
  "TIMED_OUT",
] as const;

const Time = z.iso.datetime();

export const RunSummary = z.object({
  id: z.string(),
  status: z.enum(PUBLIC_STATUSES),
  taskIdentifier: z.string(),
  idempotencyKey: z.string().optional(),
  version: z.string().optional(),
  isQueued: z.boolean(),
  isExecuting: z.boolean(),
  isWaiting: z.boolean(),
  isCompleted: z.boolean(),
  isSuccess: z.boolean(),
  isFailed: z.boolean(),
  isCancelled: z.boolean(),
  isTest: z.boolean(),
  createdAt: Time,
  updatedAt: Time,
  startedAt: Time.optional(),
  finishedAt: Time.optional(),
  delayedUntil: Time.optional(),
  ttl: z.string().optional(),
  expiredAt: Time.optional(),
  tags: z.array(z.string()),
  costInCents: z.number(),
  baseCostInCents: z.number(),
  durationMs: z.number(),
  depth: z.number(),
  batchId: z.string().optional(),
  triggerFunction: z.enum(["triggerAndWait", "trigger", "batchTriggerAndWait", "batchTrigger"]),
  queue: z.string(),
  attemptCount: z.number(),
});
export type RunSummary = z.infer<typeof RunSummary>;

const SerializedErrorBody = z.object({
  name: z.string().optional(),
  message: z.string(),
  stackTrace: z.string().optional(),
});

/** The schedule that created a run. */
export const RunSchedule = z.object({
  id: z.string(),
  externalId: z.string().optional(),
  deduplicationKey: z.string().optional(),
  generator: ScheduleGenerator,
});
export type RunSchedule = z.infer<typeof RunSchedule>;

export const RetrieveRunResponse = RunSummary.extend({
  payload: z.unknown().optional(),
  payloadPresignedUrl: z.string().optional(),
  output: z.unknown().optional(),
  outputPresignedUrl: z.string().optional(),
  error: SerializedErrorBody.optional(),
  metadata: z.record(z.string(), z.unknown()).optional(),
  schedule: RunSchedule.optional(),
  relatedRuns: z.object({
    root: RunSummary.optional(),
    parent: RunSummary.optional(),
    children: z.array(RunSummary).optional(),
  }),
});
export type RetrieveRunResponse = z.infer<typeof RetrieveRunResponse>;

export const ListRunsResponse = z.object({
  data: z.array(RunSummary.extend({ env: z.object({ id: z.string(), name: z.string() }) })),
  pagination: z.object({ next: z.string().optional(), previous: z.string().optional() }),
});
export type ListRunsResponse = z.infer<typeof ListRunsResponse>;

/** The body may be left out. */
export const CancelBody = z.object({
  /** Whether to cancel the children and batches that the run waits for as well. Default true. */
  children: z.boolean().optional(),
});

const TOO_DEEP = { message: `Metadata is nested at most ${MAX_JSON_DEPTH} deep` };
const MetadataValue = z.unknown().refine(isShallow, TOO_DEEP);
const Metadata = z.record(z.string(), z.unknown()).refine(isShallow, TOO_DEEP);

/** What a replay changes. Absent fields keep the original's values; unknown fields are refused. */
export const ReplayBody = TriggerOptions.pick({
  tags: true,
  concurrencyKey: true,
  machine: true,
  delay: true,
  ttl: true,
  idempotencyKey: true,
  idempotencyKeyTTL: true,
  maxAttempts: true,
  maxDuration: true,
  priority: true,
})
  .extend({
    payload: z.unknown().optional(),
    payloadType: z.enum(["application/json", "application/super+json"]).optional(),
    metadata: Metadata.optional(),
    queue: QueueName.optional(),
    version: Reference.optional(),
    /** Accepted without effect: there is only one region. */
    region: z.string().max(128).optional(),
  })
  .strict()
  .refine((body) => body.payloadType !== "application/super+json" || typeof body.payload === "string", {
    path: ["payload"],
    message: "A payload of type application/super+json is a string",
  });

export const RescheduleBody = z.object({ delay: Delay });
export const AddTagsBody = z.object({ tags: RunTags });
export const ResetIdempotencyKeyBody = z.object({ taskIdentifier: z.string().min(1).max(512) });

const MetadataKey = z
  .string()
  .min(1)
  .max(512)
  .refine(
    (key) =>
      !key.split(/[.[\]'"\\]+/).some((part) => ["__proto__", "constructor", "prototype"].includes(part)),
    {
      message: "A metadata key can't name __proto__, constructor or prototype",
    },
  )
  .refine((key) => !key.startsWith("$") || /^\$(\.[^.]+)+$/.test(key), {
    message: 'A path such as "$.a.b" must name a key below $',
  });

export const MetadataChange = z.discriminatedUnion("type", [
  z.object({ type: z.literal("update"), value: Metadata }),
  z.object({ type: z.literal("set"), key: MetadataKey, value: MetadataValue }),
  z.object({ type: z.literal("delete"), key: MetadataKey }),
  z.object({ type: z.literal("append"), key: MetadataKey, value: MetadataValue }),
  z.object({ type: z.literal("remove"), key: MetadataKey, value: MetadataValue }),
  z.object({ type: z.literal("increment"), key: MetadataKey, value: z.number() }),
]);

const Changes = z.array(MetadataChange).max(1_000).optional();

export const UpdateMetadataBody = z.object({
  metadata: Metadata.optional(),
  operations: Changes,
  parentOperations: Changes,
  rootOperations: Changes,
});

const Cursor = z.string().refine((id) => parseRunId(id) !== null, "Give `next` or `previous` of a page");

/** The query of `GET /api/v1/runs`, under the names the client sends. */
export const ListRunsQuery = z.object({
  "filter[status]": commaList(z.enum(PUBLIC_STATUSES)).optional(),
  "filter[taskIdentifier]": commaList(QueryText).optional(),
  "filter[version]": commaList(QueryText).optional(),
  "filter[tag]": commaList(QueryText).optional(),
  "filter[queue]": commaList(QueryText).optional(),
  "filter[machine]": commaList(QueryText).optional(),
  "filter[batch]": QueryText.optional(),
  "filter[schedule]": QueryText.optional(),
  /** Runs that this bulk action canceled, or copies that it made. */
  "filter[bulkAction]": QueryText.optional(),
  /** Runs that failed with this error: the id of a group of `GET /api/v1/errors`. */
  "filter[error]": ErrorId.optional(),
  "filter[isTest]": z.enum(["true", "false"]).optional(),
  ...RangeQuery,
  "page[size]": wholeNumber("Give a number from 1 to 100").pipe(z.number().min(1).max(100)).optional(),
  "page[after]": Cursor.optional(),
  "page[before]": Cursor.optional(),
});

/** The query of `GET /api/v1/projects/{ref}/runs`. */
export const ListProjectRunsQuery = ListRunsQuery.extend({
  /** Slugs of environments, or `dev`, `staging`, `preview` and `prod` for all of that type. */
  "filter[env]": commaList(QueryText).optional(),
});

export const ErrorBody = z.object({
  error: z.string(),
  code: z.string(),
  issues: z.array(z.object({ path: z.string(), message: z.string() })).optional(),
});

export const AttemptsResponse = z.object({
  attempts: z.array(
    z.object({
      id: z.string(),
      number: z.number(),
      status: z.enum(["EXECUTING", "COMPLETED", "FAILED", "CANCELED"]),
      startedAt: Time.optional(),
      completedAt: Time.optional(),
      hostId: z.string().optional(),
      error: SerializedErrorBody.optional(),
    }),
  ),
});

export const EventsResponse = z.object({
  events: z.array(
    z.object({
      time: Time,
      type: z.string(),
      message: z.string(),
      level: z.string().optional(),
      attempt: z.number().optional(),
      properties: z.record(z.string(), z.unknown()).optional(),
    }),
  ),
});
