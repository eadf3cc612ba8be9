import { z } from "zod";
import { EnvironmentResponse, Weight } from "./environments.ts";
import { DisplayName, ListAuditQuery, OrganizationSlug } from "./organizations.ts";

/** What a server's operator can see and set with the admin token. */

export const ListOrganizationsQuery = z.object({
  "page[size]": z.coerce.number().int().min(1).max(100).optional(),
  /** An organization's slug: returns the organizations that follow it in alphabetical order. */
  "page[after]": z.string().max(64).optional(),
});

export const OperatorOrganization = z.object({
  id: z.string(),
  slug: z.string(),
  name: z.string(),
  createdAt: z.iso.datetime(),
  members: z.number(),
  projects: z.number(),
  /** Archived branches do not count. */
  environments: z.number(),
  runs: z.object({
    /** Runs that are not finished. */
    unfinished: z.number(),
    /** The unfinished runs that hold a slot. */
    executing: z.number(),
  }),
  /** The weight of its environments when there are more runs than hosts can take. */
  weight: z.number(),
  /** The maximum number of runs that one of its environments may execute at once. Null: no such limit. */
  concurrencyCeiling: z.number().nullable(),
});
export type OperatorOrganization = z.infer<typeof OperatorOrganization>;

export const OperatorOrganizationsResponse = z.object({
  data: z.array(OperatorOrganization),
  pagination: z.object({ next: z.string().optional() }),
});

export const OperatorEnvironment = EnvironmentResponse.extend({
  projectRef: z.string(),
  /** Runs that hold a slot now, and runs that could start now. */
  running: z.number(),
  ready: z.number(),
});
export type OperatorEnvironment = z.infer<typeof OperatorEnvironment>;

export const OperatorOrganizationDetails = OperatorOrganization.extend({
  /** Runs that were created in the last 24 hours. */
  runsOfLastDay: z.number(),
  /** Without archived branches; at most 200. */
  environmentsInUse: z.array(OperatorEnvironment),
});
export type OperatorOrganizationDetails = z.infer<typeof OperatorOrganizationDetails>;

export const OperatorCreateOrganizationBody = z
  .object({ slug: OrganizationSlug, name: DisplayName })
  .strict();

/** Absent fields are not changed. */
export const OrganizationLimitsBody = z
  .object({
    weight: Weight,
    /**
     * The maximum number of runs that one of its environments may execute at once, including bursts. Null: no
     * such limit.
     */
    concurrencyCeiling: z.number().int().min(1).max(100_000).nullable(),
  })
  .partial()
  .strict();

export const OrganizationLimitsResponse = z.object({
  weight: z.number(),
  concurrencyCeiling: z.number().nullable(),
  /** `PROJECTREF/SLUG` of each of the organization's environments. All of them have the new weight. */
  environments: z.array(z.string()),
  /** The environments whose limits were above the ceiling and were lowered to it. */
  lowered: z.array(z.string()),
});
export type OrganizationLimitsResponse = z.infer<typeof OrganizationLimitsResponse>;

export const DrainHostBody = z
  .object({
    /** False: the host gets runs again. */
    draining: z.boolean().default(true),
  })
  .strict();

export const RebuildBody = z
  .object({
    /** Names the rebuild. The same id continues it and returns its progress; a new id sends everything again. */
    id: z.string().regex(/^[\w-]{1,64}$/, "Give 1 to 64 letters, digits, _ and -"),
    /** Slug of the only organization to rebuild. */
    organization: z.string().max(64).optional(),
    /** `next` of the previous page. */
    after: z
      .string()
      .regex(/^[0-9a-z]{8}\.\d{1,9}$/, "Give `next` of the previous page")
      .optional(),
  })
  .strict();

/** Progress of the queues of one page. */
export const RebuildResponse = z.object({
  id: z.string(),
  queues: z.number(),
  /** The number of queues that have sent all of their runs. */
  done: z.number(),
  /** The number of runs that were sent. */
  runs: z.number(),
  /** Set if there are more queues: pass it as `after`. */
  next: z.string().optional(),
});
export type RebuildResponse = z.infer<typeof RebuildResponse>;

export const OperatorAuditQuery = ListAuditQuery.extend({
  /** An organization's slug. Absent: actions on the server as a whole. */
  organization: z.string().max(64).optional(),
});
