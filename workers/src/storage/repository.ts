import type {
  EnvironmentRef,
  RunProjection,
  RunRow,
  WaitpointProjection,
  WaitpointRow,
} from "@acme/durable-objects/rpc";
import type { RunStatus, WorkerManifest } from "@acme/sdk/contract";

export interface AccessToken {
  id: string;
  organizationId: string;
  name: string;
  /** With spaces between them. */
  scopes: string;
  expiresAt: number | null;
  /** Null: the token belongs to the organization itself. */
  userId: string | null;
  /** Null also for a person who no longer exists. */
  user: { id: string; email: string; name: string; image: string | null } | null;
}

export interface DeploymentInput {
  environmentKey: string;
  /** SHA-256 (hex) of the bundle. */
  contentHash: string;
  bundleBytes: number;
  manifest: WorkerManifest;
  /** Its image is built next; until then it can't be promoted. Absent: its runs need only the bundle. */
  image?: { /** Null: the image stays on the Engine that builds it. */ repository: string | null };
}

export interface DeploymentRecord extends Omit<DeploymentInput, "image"> {
  id: string;
  status: "BUILDING" | "DEPLOYED" | "FAILED";
  /** When its build ended. */
  finishedAt: number | null;
  /** Why its build failed. */
  failure: string | null;
  hasImage: boolean;
  imageRepository: string | null;
  imageDigest: string | null;
  /** `YYYYMMDD.N` (UTC), N from 1: unique in its environment. */
  version: string;
  createdAt: number;
  /** When it was last promoted; null: never. */
  promotedAt: number | null;
  /** From when on nothing new may need its bundle, which is deleted then; null: it is kept. */
  collectedAt: number | null;
}

export interface DeploymentListOptions {
  /** Only deployments older than the one with this id. */
  after?: string;
  /** Only deployments in this state. An unknown state matches none. */
  status?: string;
  /** Only those whose bundles are kept. */
  kept?: boolean;
}

/**
 * All conditions must hold; any value of a list may match (an empty list matches nothing, an absent one
 * everything). Times are in milliseconds since the epoch, both ends included.
 */
export interface RunFilter {
  statuses?: RunStatus[];
  tasks?: string[];
  versions?: string[];
  tags?: string[];
  queues?: string[];
  machines?: string[];
  batch?: string;
  schedule?: string;
  /** Runs that this bulk action canceled, or copies that it made. */
  bulkAction?: string;
  /** Runs that failed with the error of this fingerprint. */
  error?: string;
  isTest?: boolean;
  rootRunId?: string;
  parentRunId?: string;
  from?: number;
  to?: number;
}

/**
 * Newest first. `after` and `before` are run ids: the page follows or precedes that run, which need not exist
 * any more (its id contains its creation time). An id of another environment gives an empty page.
 */
export interface RunPage {
  /** 1 to 1000. */
  limit: number;
  after?: string;
  before?: string;
}

export interface RunListing {
  runs: RunRow[];
  /** Run id to pass as `after` for the next page; null: this is the last page. */
  next: string | null;
  /** Run id to pass as `before` for the previous page; null: this is the first page. */
  previous: string | null;
}

/**
 * All conditions must hold; any value of a list may match. Times are in milliseconds since the epoch, both
 * ends included.
 */
export interface WaitpointFilter {
  statuses?: WaitpointRow["status"][];
  tags?: string[];
  idempotencyKey?: string;
  from?: number;
  to?: number;
}

/** Like {@link RunPage}, with ids of tokens. */
export type WaitpointPage = RunPage;

export interface WaitpointListing {
  waitpoints: WaitpointRow[];
  next: string | null;
  previous: string | null;
}

/**
 * The query side: lists, search and history of runs, which follow the objects, and the record of accounts, keys and
 * deployments. Every question about runs is scoped by environment key. Calls may be sent again: each but
 * `createDeployment` is idempotent. Secrets are stored only as their SHA-256 (64 lower-case hex digits).
 */
export interface Repository extends RunProjection, WaitpointProjection {
  /** Returns null for a revoked key. */
  findEnvironmentByKeyHash(hash: string): Promise<EnvironmentRef | null>;

  /** Returns null for a revoked token, but not for an expired one. */
  findAccessToken(hash: string): Promise<AccessToken | null>;
  /** Records that a key or token was used now, unless a recent use is recorded. */
  markUsed(kind: "key" | "accessToken", hash: string): Promise<void>;

  findEnvironment(organizationId: string, projectRef: string, slug: string): Promise<EnvironmentRef | null>;
  findEnvironmentByKey(environmentKey: string): Promise<EnvironmentRef | null>;
  /** For administrators: the organization does not matter, because project refs are unique. */
  findEnvironmentOfProject(projectRef: string, slug: string): Promise<EnvironmentRef | null>;
  /** Returns the environments of all projects of an organization; none for an unknown organization. */
  environmentsOfOrganization(organizationSlug: string): Promise<EnvironmentRef[]>;

  /** Allocates the next version of the day (`YYYYMMDD.N`, UTC); two at once get two versions. */
  createDeployment(input: DeploymentInput): Promise<DeploymentRecord>;
  /** Deletes all deployments of an environment but the newest `keep`. */
  pruneDeployments(environmentKey: string, keep: number): Promise<void>;
  /** Whether a deployment, in any environment, needs this bundle: one that was neither collected nor failed. */
  isBundleKept(contentHash: string): Promise<boolean>;
  /** See `DeploymentRecord.collectedAt`. */
  markCollected(id: string, at: number | null): Promise<void>;
  findDeployment(id: string): Promise<DeploymentRecord | null>;
  findDeploymentByVersion(environmentKey: string, version: string): Promise<DeploymentRecord | null>;
  /** Newest first. */
  listDeployments(
    environmentKey: string,
    limit: number,
    options?: DeploymentListOptions,
  ): Promise<DeploymentRecord[]>;
  /** A version that becomes current is not collected. */
  markPromoted(id: string, at?: number): Promise<void>;
  /**
   * Ends a build that has not ended yet. Returns the resulting deployment; null if there is none with this
   * id.
   */
  finishBuild(
    id: string,
    result: { imageDigest: string } | { failure: string },
  ): Promise<DeploymentRecord | null>;

  /** Adds rows and replaces those of lower versions, all or none. A call may contain the same row twice. */
  upsertRuns(rows: RunRow[]): Promise<void>;
  findRun(environmentKey: string, runId: string): Promise<RunRow | null>;
  listRuns(environmentKey: string, filter: RunFilter, page: RunPage): Promise<RunListing>;
  /** Does the same over several environments in one statement. */
  listRunsOf(environmentKeys: string[], filter: RunFilter, page: RunPage): Promise<RunListing>;
  /** Counts matching runs by status. Statuses without runs are left out. */
  countRuns(environmentKey: string, filter: RunFilter): Promise<Partial<Record<RunStatus, number>>>;
  /** Counts unfinished runs by status. Statuses without runs are left out. */
  countUnfinished(environmentKey: string): Promise<Partial<Record<RunStatus, number>>>;

  /** Returns the ids of batches that have runs, newest first: at most `limit`, after the batch `after`. */
  listBatchIds(environmentKey: string, limit: number, after?: string): Promise<string[]>;

  /** Adds rows and replaces those of lower versions. */
  upsertWaitpoints(rows: WaitpointRow[]): Promise<void>;
  listWaitpoints(
    environmentKey: string,
    filter: WaitpointFilter,
    page: WaitpointPage,
  ): Promise<WaitpointListing>;

  /** Throws when the database can't be reached or isn't migrated. */
  ping(): Promise<void>;
}
