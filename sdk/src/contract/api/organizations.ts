import { z } from "zod";
import { ConcurrencyLimit } from "../manifest.ts";
import { EmailAddress, Role } from "./people.ts";

export const DisplayName = z.string().trim().min(1).max(100);

export const OrganizationSlug = z
  .string()
  .regex(
    /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])$/,
    "Give 2 to 63 characters of a-z, 0-9 and -, the first and last of them none of -",
  );

export const CreateOrganizationBody = z
  .object({ name: DisplayName, /** Default: made of the name. */ slug: OrganizationSlug.optional() })
  .strict();

export const UpdateOrganizationBody = z.object({ name: DisplayName }).strict();

export const OrganizationObject = z.object({
  id: z.string(),
  slug: z.string(),
  name: z.string(),
  /** The caller's own role. */
  role: Role,
  createdAt: z.iso.datetime(),
  members: z.number(),
  projects: z.number(),
  /**
   * The maximum number of runs that one of its environments may execute at once, set by the server's
   * operator. Null: no such limit.
   */
  concurrencyCeiling: z.number().nullable(),
});
export type OrganizationObject = z.infer<typeof OrganizationObject>;

export const MemberObject = z.object({
  userId: z.string(),
  email: z.string(),
  name: z.string(),
  image: z.string().nullable(),
  role: Role,
  joinedAt: z.iso.datetime(),
});
export type MemberObject = z.infer<typeof MemberObject>;

export const ListMembersResponse = z.object({ data: z.array(MemberObject) });
export const ChangeRoleBody = z.object({ role: Role }).strict();

export const CreateInvitationBody = z
  .object({ email: EmailAddress, role: Role.default("developer") })
  .strict();

export const InvitationObject = z.object({
  id: z.string(),
  email: z.string(),
  role: Role,
  invitedBy: z.string().nullable(),
  createdAt: z.iso.datetime(),
  expiresAt: z.iso.datetime(),
});
export type InvitationObject = z.infer<typeof InvitationObject>;

export const CreateInvitationResponse = InvitationObject.extend({
  /** The link with which to accept the invitation. It is shown only here. */
  url: z.string(),
  /** Whether it was also mailed to the person. */
  mailed: z.boolean(),
  /** Why it was not mailed. */
  mailProblem: z.string().nullable(),
});
export type CreateInvitationResponse = z.infer<typeof CreateInvitationResponse>;

/** Invitations that can still be accepted. */
export const ListInvitationsResponse = z.object({ data: z.array(InvitationObject) });

export const InvitationTokenBody = z.object({ token: z.string().min(1).max(200) }).strict();

/** What an invitation's link shows. */
export const InvitationSummary = z.object({
  organization: z.object({ slug: z.string(), name: z.string() }),
  email: z.string(),
  role: Role,
  expiresAt: z.iso.datetime(),
});
export type InvitationSummary = z.infer<typeof InvitationSummary>;

export const AcceptInvitationResponse = z.object({
  organization: z.object({ id: z.string(), slug: z.string(), name: z.string() }),
  role: Role,
});

export const CreateProjectBody = z.object({ name: DisplayName }).strict();
export const UpdateProjectBody = z.object({ name: DisplayName }).strict();

export const ProjectObject = z.object({
  id: z.string(),
  ref: z.string(),
  name: z.string(),
  createdAt: z.iso.datetime(),
});
export type ProjectObject = z.infer<typeof ProjectObject>;

export const ListProjectsResponse = z.object({ data: z.array(ProjectObject) });

/** What would be deleted with a project. */
export const ProjectDeletionCounts = z.object({
  ref: z.string(),
  name: z.string(),
  environments: z.array(z.string()),
  apiKeys: z.number(),
  variables: z.number(),
  deployments: z.number(),
  schedules: z.number(),
  runs: z.number(),
  /** Runs that would be canceled. */
  unfinishedRuns: z.number(),
});
export type ProjectDeletionCounts = z.infer<typeof ProjectDeletionCounts>;

/**
 * What was deleted immediately with a project. In the following minutes its runs are canceled, its schedules
 * are deleted, and its runs, tokens and stored payloads are removed; then the audit log gets
 * `project.deletion_completed`.
 */
export const DeletedProject = z.object({
  ref: z.string(),
  environments: z.array(z.string()),
  apiKeysRevoked: z.number(),
  variablesDeleted: z.number(),
});

/** Name of a git branch. */
export const BranchName = z
  .string()
  .min(1)
  .max(200)
  .regex(/^[^\s\p{Cc}~^:?*[\\]+$/u, "Give a branch's name, without spaces and control characters");

/** What Trigger.dev's clients name a development environment that is no branch. So no branch of one can have this name. */
export const NO_DEV_BRANCH = "default";

export const BranchParent = z.enum(["preview", "dev"]);

export const CreateEnvironmentBody = z.discriminatedUnion("type", [
  /** The caller's own development environment in this project. */
  z.object({ type: z.literal("dev") }).strict(),
  z.object({ type: z.literal("staging") }).strict(),
  z.object({ type: z.literal("preview") }).strict(),
  z.object({ type: z.literal("prod") }).strict(),
  /**
   * A branch of the project's preview environment, or of the caller's own development environment, which is created if it is missing.
   * An archived branch is restored.
   */
  z
    .object({ type: z.literal("branch"), branch: BranchName, parent: BranchParent.default("preview") })
    .strict()
    .refine(({ branch, parent }) => parent !== "dev" || branch !== NO_DEV_BRANCH, {
      path: ["branch"],
      message: `"${NO_DEV_BRANCH}" means the development environment itself: give the branch another name`,
    }),
]);

export const ProjectEnvironment = z.object({
  id: z.string(),
  key: z.string(),
  slug: z.string(),
  type: z.enum(["DEVELOPMENT", "STAGING", "PREVIEW", "PRODUCTION"]),
  name: z.string(),
  /** Set for a branch of a preview or development environment; null for other environments. */
  branch: z.string().nullable(),
  /** The owner of a development environment. Null: it is shared. */
  userId: z.string().nullable(),
  createdAt: z.iso.datetime(),
  archivedAt: z.iso.datetime().nullable(),
});
export type ProjectEnvironment = z.infer<typeof ProjectEnvironment>;

export const ListEnvironmentsResponse = z.object({ data: z.array(ProjectEnvironment) });
export const ArchiveBranchBody = z
  .object({ branch: BranchName, parent: BranchParent.default("preview") })
  .strict();

/** What an organization's admins may change in an environment. Absent fields are not changed. */
export const EnvironmentLimitsBody = z
  .object({
    /** The maximum number of runs that execute at once. */
    concurrencyLimit: ConcurrencyLimit,
    /** All queues together may use the limit times this factor, rounded down. */
    burstFactor: z.number().min(1).max(10),
    /** The maximum number of runs of a queue that have not started. Null: the platform's limit. */
    queueSizeLimit: z.number().int().min(1).max(10_000_000).nullable(),
  })
  .partial()
  .strict();

export const AuditEntry = z.object({
  id: z.string(),
  at: z.iso.datetime(),
  actor: z.object({
    type: z.enum(["user", "key", "access_token", "operator"]),
    id: z.string().nullable(),
    name: z.string(),
  }),
  action: z.string(),
  target: z.object({ type: z.string(), id: z.string() }),
  /** `PROJECTREF/ENVIRONMENT`, or the project's ref. Null: the action concerned the whole organization. */
  scope: z.string().nullable(),
  details: z.record(z.string(), z.unknown()),
  /**
   * `unknown`: the action was requested, and the server died or lost a connection before it knew the outcome.
   */
  outcome: z.enum(["succeeded", "failed", "unknown"]),
  address: z.string().nullable(),
  userAgent: z.string().nullable(),
});
export type AuditEntry = z.infer<typeof AuditEntry>;

export const ListAuditQuery = z.object({
  "page[size]": z.coerce.number().int().min(1).max(100).optional(),
  /** An entry's id: returns older entries. */
  "page[after]": z.string().max(64).optional(),
  action: z.string().max(64).optional(),
  actor: z.string().max(64).optional(),
});

export const ListAuditResponse = z.object({
  data: z.array(AuditEntry),
  pagination: z.object({ next: z.string().optional() }),
});
