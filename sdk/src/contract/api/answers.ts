import { z } from "zod";
import { TaskRunError } from "../run-errors.ts";
import { DeploymentBody, ENVIRONMENT_SLUGS } from "./deployments.ts";

/** The maximum number of seconds for which a request for a result is held. */
export const MAX_WAIT_SECONDS = 60;

/** The query of requests that return a run's result: `GET /api/v1/runs/:id/result` and `POST /api/v1/tasks/:id/trigger`. */
export const ResultQuery = z.object({
  wait: z
    .string()
    .regex(/^\d+(\.\d+)?$/, "Give a number of seconds")
    .transform(Number)
    .pipe(z.number().max(MAX_WAIT_SECONDS))
    .optional()
    .describe(`Seconds to wait for the run's end, at most ${MAX_WAIT_SECONDS}. Default 0.`),
});

const Result = {
  id: z.string(),
  taskIdentifier: z.string(),
  usage: z.object({ durationMs: z.number() }),
};

/** The result of a finished run. `output` is text of type `outputType`. */
export const ResultResponse = z.discriminatedUnion("ok", [
  z.object({ ok: z.literal(true), ...Result, output: z.string().optional(), outputType: z.string() }),
  z.object({ ok: z.literal(false), ...Result, error: TaskRunError }),
]);

export const RunIdResponse = z.object({ id: z.string() });
export const TagsResponse = z.object({ message: z.string(), tags: z.array(z.string()) });
export const MetadataResponse = z.object({ metadata: z.record(z.string(), z.unknown()) });
export const ListDeploymentsResponse = z.object({ data: z.array(DeploymentBody) });

export const BootstrapResponse = z.object({
  organizationId: z.string(),
  projectRef: z.string(),
  environments: z.array(
    z.object({ slug: z.enum(ENVIRONMENT_SLUGS), key: z.string(), id: z.string(), type: z.string() }),
  ),
  /** The parts that have been revoked or deleted since, and are not restored. */
  warnings: z.array(z.string()),
});

/** Each part is "ok" or says what is wrong with it. */
export const HealthResponse = z.object({
  /** What each request needs is there: an object, the database and the configuration. Of the others, each is named. */
  ok: z.boolean(),
  worker: z.string(),
  objects: z.string(),
  database: z.string(),
  configuration: z.string(),
  blobs: z.string(),
  hosts: z.string(),
  mail: z.string(),
  /** Absent: the server has no ClickHouse. A server is healthy without one. */
  clickhouse: z.string().optional(),
});
