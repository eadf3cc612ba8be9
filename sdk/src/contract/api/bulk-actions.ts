import { z } from "zod";
import { ErrorId } from "./errors.ts";

const Text = z.string().min(1).max(256);
const OneOrMany = z.union([Text.transform((one) => [one]), z.array(Text).max(100)]);
const Moment = z.union([z.iso.datetime({ offset: true }), z.number().int().min(0)]);

export const BULK_LIMITS = { runIds: 1_000, perEnvironmentAtOnce: 20 } as const;

/** The filters of `GET /api/v1/runs`. At least one has to be set. */
export const BulkFilter = z
  .object({
    status: OneOrMany.optional(),
    taskIdentifier: OneOrMany.optional(),
    version: OneOrMany.optional(),
    /** ISO 8601, or milliseconds since the epoch. */
    from: Moment.optional(),
    to: Moment.optional(),
    /** A duration such as `1d`: runs created within that time. */
    period: z
      .string()
      .regex(/^\d{1,6}(?:s|m|h|d|w)$/, "Give a period like 30m, 12h or 7d")
      .optional(),
    tag: OneOrMany.optional(),
    schedule: Text.optional(),
    isTest: z.boolean().optional(),
    batch: Text.optional(),
    /** Runs that this bulk action canceled, or copies that it made. */
    bulkAction: Text.optional(),
    /** Runs that failed with this error: the id of a group of `GET /api/v1/errors`. */
    error: ErrorId.optional(),
    queue: z
      .union([
        z.object({ type: z.enum(["task", "custom"]), name: Text }).transform((one) => [one]),
        z.array(z.object({ type: z.enum(["task", "custom"]), name: Text })).max(100),
      ])
      .optional(),
    machine: OneOrMany.optional(),
  })
  .strict()
  .refine(
    (filter) =>
      Object.values(filter).some((value) => (Array.isArray(value) ? value.length > 0 : value !== undefined)),
    "At least one filter must be provided",
  );

const Selection = {
  filter: BulkFilter.optional(),
  runIds: z.array(Text).min(1).max(BULK_LIMITS.runIds).optional(),
  name: z.string().min(1).max(255).optional(),
};

export const CreateBulkActionBody = z
  .discriminatedUnion("action", [
    z.object({ action: z.literal("cancel"), ...Selection }),
    z.object({
      action: z.literal("replay"),
      /** Accepted without effect: there is only one region. */
      targetRegion: z.string().max(64).optional(),
      ...Selection,
    }),
  ])
  .refine(
    ({ filter, runIds }) => (filter === undefined) !== (runIds === undefined),
    "Exactly one of filter or runIds must be provided",
  );

export const BulkActionStatus = z.enum(["PENDING", "COMPLETED", "ABORTED"]);
export type BulkActionStatus = z.infer<typeof BulkActionStatus>;

export const BulkActionResource = z.object({
  id: z.string(),
  name: z.string().optional(),
  type: z.enum(["CANCEL", "REPLAY"]),
  status: BulkActionStatus,
  counts: z.object({
    /**
     * The number of runs that match, 0 until they have been counted; after its end, the number of runs that it
     * processed.
     */
    total: z.number(),
    success: z.number(),
    failure: z.number(),
  }),
  createdAt: z.iso.datetime(),
  completedAt: z.iso.datetime().optional(),
  /**
   * The first runs for which it failed, and why. An entry without a run (`runId` is empty) says that runs may have been
   * missed.
   */
  failures: z.array(z.object({ runId: z.string(), error: z.string() })),
});
export type BulkActionResource = z.infer<typeof BulkActionResource>;

export const BulkActionId = z.object({ id: z.string() });

export const ListBulkActionsQuery = z.object({
  "page[size]": z.coerce.number().int().min(1).max(100).optional(),
  "page[after]": z.string().max(64).optional(),
  "page[before]": z.string().max(64).optional(),
});

export const ListBulkActionsResponse = z.object({
  data: z.array(BulkActionResource),
  pagination: z.object({ next: z.string().optional(), previous: z.string().optional() }),
});
