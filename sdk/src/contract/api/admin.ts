import { z } from "zod";
import { EnvironmentResponse, Weight } from "./environments.ts";
import { DisplayName, ListAuditQuery, OrganizationSlug } from "./organizations.ts";

/** What a server's operator sees and sets, by the admin token. */

export const ListOrganizationsQuery = z.object({
  "page[size]": z.coerce.number().int().min(1).max(100).optional(),
  /** An organization's slug: those that follow it in alphabetical order. */
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
    /** Runs that are not over. */
    unfinished: z.number(),
    /** Those of them that hold a slot. */
    executing: z.number(),
  }),
  /** Share of its environments when hosts are short. */
  weight: z.number(),
  /** Most runs that one of its environments may execute at once; null: no such limit. */
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

/** What is absent stays. */
export const OrganizationLimitsBody = z
  .object({
    weight: Weight,
    /** Most runs that one of its environments may execute at once, bursts included; null: no such limit. */
    concurrencyCeiling: z.number().int().min(1).max(100_000).nullable(),
  })
  .partial()
  .strict();

export const OrganizationLimitsResponse = z.object({
  weight: z.number(),
  concurrencyCeiling: z.number().nullable(),
  /** `PROJECTREF/SLUG` of the organization's environments, all of which have the weight now. */
  environments: z.array(z.string()),
  /** Those of them whose limits were above the ceiling and were lowered to it. */
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
    /** Only this organization, by its slug. */
    organization: z.string().max(64).optional(),
    /** `next` of the page before. */
    after: z
      .string()
      .regex(/^[0-9a-z]{8}\.\d{1,9}$/, "Give `next` of the page before")
      .optional(),
  })
  .strict();

/** How far the queues of one page are. */
export const RebuildResponse = z.object({
  id: z.string(),
  queues: z.number(),
  /** Queues that have sent all of their runs. */
  done: z.number(),
  /** Runs that were sent. */
  runs: z.number(),
  /** There are more queues: pass it as `after`. */
  next: z.string().optional(),
});
export type RebuildResponse = z.infer<typeof RebuildResponse>;

export const OperatorAuditQuery = ListAuditQuery.extend({
  /** An organization's slug; absent: what was done to the server as a whole. */
  organization: z.string().max(64).optional(),
});
