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
  /** Null: the token is the organization's own. */
  userId: string | null;
  /** Null also for a person who is not there any more. */
  user: { id: string; email: string; name: string; image: string | null } | null;
}

export interface DeploymentInput {
  environmentKey: string;
  /** SHA-256 (hex) of the bundle. */
  contentHash: string;
  bundleBytes: number;
  manifest: WorkerManifest;
  /** Its image is built next: it can't be promoted until that is finished. Absent: its runs need only the bundle. */
  image?: { /** Null: it stays on the Engine that builds it. */ repository: string | null };
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
  /** When it was promoted last; null: never. */
  promotedAt: number | null;
  /** From when on nothing new may need its bundle, which is deleted then; null: it is kept. */
  collectedAt: number | null;
}

export interface DeploymentListOptions {
  /** Only those older than the deployment with this id. */
  after?: string;
  /** Only those in this state; one that no deployment is ever in gives none. */
  status?: string;
  /** Only those whose bundles are kept. */
  kept?: boolean;
}

/**
 * All conditions must hold; of a list, any (an empty list matches nothing, an absent one everything). Times in
 * milliseconds since the epoch, both ends included.
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
 * Newest first. `after` and `before` are run ids: the page that follows or precedes that run, which need not be there
 * any more (its id says when it was created). One that isn't an id of this environment's run gives an empty page.
 */
export interface RunPage {
  /** 1 to 1000. */
  limit: number;
  after?: string;
  before?: string;
}

export interface RunListing {
  runs: RunRow[];
  /** Run id to pass as `after` for the next page; null: this is the last. */
  next: string | null;
  /** Run id to pass as `before` for the previous page; null: this is the first. */
  previous: string | null;
}

/** All conditions must hold; of a list, any. Times in milliseconds since the epoch, both ends included. */
export interface WaitpointFilter {
  statuses?: WaitpointRow["status"][];
  tags?: string[];
  idempotencyKey?: string;
  from?: number;
  to?: number;
}

/** As {@link RunPage}, with ids of tokens. */
export type WaitpointPage = RunPage;

export interface WaitpointListing {
  waitpoints: WaitpointRow[];
  next: string | null;
  previous: string | null;
}

/**
 * The query side: lists, search and history of runs, which follow the objects, and the record of accounts, keys and
 * deployments. Every question about runs is scoped by environment key. Calls may be sent again: each but
 * `createDeployment` is idempotent. Secrets are known by their SHA-256 (64 lower-case hex digits) only.
 */
export interface Repository extends RunProjection, WaitpointProjection {
  /** Revoked keys are unknown. */
  findEnvironmentByKeyHash(hash: string): Promise<EnvironmentRef | null>;

  /** Revoked tokens are unknown; expired ones are not. */
  findAccessToken(hash: string): Promise<AccessToken | null>;
  /** Records that a key or token was used now, unless that was recorded a moment ago. */
  markUsed(kind: "key" | "accessToken", hash: string): Promise<void>;

  findEnvironment(organizationId: string, projectRef: string, slug: string): Promise<EnvironmentRef | null>;
  findEnvironmentByKey(environmentKey: string): Promise<EnvironmentRef | null>;
  /** For administrators: the organization does not matter, because project refs are unique. */
  findEnvironmentOfProject(projectRef: string, slug: string): Promise<EnvironmentRef | null>;
  /** The environments of all projects of an organization; empty for an unknown organization. */
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
  /** Ends a build, where it has not ended yet. Returns the deployment as it is then; null: there is none with this id. */
  finishBuild(
    id: string,
    result: { imageDigest: string } | { failure: string },
  ): Promise<DeploymentRecord | null>;

  /** Adds rows and replaces those of lower versions, all or none; the same row twice in a call is fine. */
  upsertRuns(rows: RunRow[]): Promise<void>;
  findRun(environmentKey: string, runId: string): Promise<RunRow | null>;
  listRuns(environmentKey: string, filter: RunFilter, page: RunPage): Promise<RunListing>;
  /** The same over several environments, in one statement. */
  listRunsOf(environmentKeys: string[], filter: RunFilter, page: RunPage): Promise<RunListing>;
  /** Runs that match, by status; a status with none is absent. */
  countRuns(environmentKey: string, filter: RunFilter): Promise<Partial<Record<RunStatus, number>>>;
  /** Runs that are not over, by status; a status with none is absent. */
  countUnfinished(environmentKey: string): Promise<Partial<Record<RunStatus, number>>>;

  /** Ids of batches that have runs, newest first: at most `limit`, after the batch `after`. */
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
