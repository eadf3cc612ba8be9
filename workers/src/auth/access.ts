/**
 * The credentials that a route accepts:
 * - `secretKey`: a secret key of the environment, or the token of code inside a run. With `scopes`, also a public token
 *   that has one of them; `{name}` in a scope stands for that parameter of the path.
 * - `accessToken`: a personal access token whose organization has the environment `:env` of the project
 *   `:ref`. Of a path that names no environment: one whose organization has the project. Both of these also
 *   accept the session or the access token of a member of the environment's organization whose role allows
 *   the operation (`LEAST_ROLE` of the contract); a token's scopes have to allow it too (`people/token-scopes.ts`): the
 *   header `x-acme-environment` or, for an access token's routes, the path names the environment.
 * - `environment`: for a path with a project's `:ref` and an environment's `:env`: that environment's secret key, a run's
 *   token of it, an access token, or the session of a member as above.
 * - `session`: the session of any person.
 * - `token`: any access token.
 * - `member`: the session or access token of a member of the organization that the path names, by `:organization` or by
 *   the `:ref` of one of its projects, whose role, and for a token whose scopes, allow the operation.
 * - `project`: as `member`, and also an organization's own access token, which is nobody's: its scopes alone decide.
 * - `host`: the credential of a container host that registered.
 * - `hostToken`, `adminToken`, `metricsToken`: the server's secrets for registering container hosts, for its administrator and for
 *   scrapers of its metrics.
 * - `none`: no credential. The route is public, or checks a signature in its address itself.
 */
export type Access =
  | {
      credential: "secretKey";
      scopes?: readonly string[];
      /**
       * True: also accepts a public token that may do this with the run's task, one of its tags, or (to read)
       * its batch.
       */
      ofRun?: "read" | "write";
      /**
       * Also accepts a public token with a scope of this action for one of these types; the route decides by
       * its body or query.
       */
      decides?: readonly [action: string, types: readonly string[]];
    }
  | {
      credential: "none";
      /** Credentials that the route checks itself, because they arrive in another way or may have expired. */
      checks?: readonly ("secretKey" | "publicToken")[];
    }
  | {
      credential:
        | "accessToken"
        | "environment"
        | "session"
        | "token"
        | "member"
        | "project"
        | "host"
        | "hostToken"
        | "adminToken"
        | "metricsToken";
    };

const secretKey = { credential: "secretKey" } as const;
const accessToken = { credential: "accessToken" } as const;
const environment = { credential: "environment" } as const;
const session = { credential: "session" } as const;
const token = { credential: "token" } as const;
const member = { credential: "member" } as const;
const project = { credential: "project" } as const;
const host = { credential: "host" } as const;
const hostToken = { credential: "hostToken" } as const;
const adminToken = { credential: "adminToken" } as const;
const metricsToken = { credential: "metricsToken" } as const;
const open = { credential: "none" } as const;
const selfChecked = { credential: "none", checks: ["secretKey", "publicToken"] } as const;

const scoped = (...scopes: string[]) => ({ credential: "secretKey", scopes }) as const;
const runReader = { ...scoped("read:runs", "read:runs:{runId}"), ofRun: "read" } as const;
const batchReader = scoped("read:batch", "read:batch:{id}", "read:runs");
const batchTrigger = { credential: "secretKey", decides: ["batchTrigger", ["tasks", "all"]] } as const;

/**
 * Every route of the API, by the id of its operation in `openapi/operations/`. A route names its entry where it is
 * registered (`.get(path, access("listRuns"), handler)`), and the OpenAPI document shows it.
 */
export const ACCESS = {
  triggerTask: scoped("trigger:tasks", "trigger:tasks:{taskId}"),

  createBatch: {
    ...scoped("batchTrigger:tasks", "batchTrigger:batch"),
    decides: ["batchTrigger", ["tasks"]],
  },
  listBatches: secretKey,
  streamBatchItems: { ...scoped("write:batch", "write:batch:{id}"), decides: ["batchTrigger", ["tasks"]] },
  retrieveBatch: batchReader,
  retrieveBatchV1: batchReader,
  listBatchResults: batchReader,
  batchTriggerV1: batchTrigger,
  batchTriggerV2: batchTrigger,
  batchTriggerTask: scoped("batchTrigger:tasks", "batchTrigger:tasks:{taskId}"),

  listTokens: secretKey,
  createToken: secretKey,
  retrieveToken: scoped("read:waitpoints", "read:waitpoints:{id}"),
  completeToken: scoped("write:waitpoints", "write:waitpoints:{id}"),
  callBackToken: open,
  createTokenLink: secretKey,
  readTokenQuestion: open,
  answerTokenQuestion: open,

  getPacketAddress: secretKey,
  createPacketAddressV1: secretKey,
  createPacketAddress: secretKey,
  downloadPacket: open,
  uploadPacket: open,

  listSchedules: secretKey,
  createSchedule: secretKey,
  retrieveSchedule: secretKey,
  updateSchedule: secretKey,
  deleteSchedule: secretKey,
  activateSchedule: secretKey,
  deactivateSchedule: secretKey,
  previewCron: secretKey,
  listTimezones: open,

  listRuns: { ...scoped("read:runs", "read:tasks"), decides: ["read", ["tasks"]] },
  listProjectRuns: accessToken,
  retrieveRun: runReader,
  getRunResult: runReader,
  listRunEvents: runReader,
  listRunAttempts: runReader,
  explainRun: runReader,
  retrieveRunTrace: runReader,
  retrieveSpan: runReader,
  listRunLogs: runReader,
  ingestTraces: secretKey,
  ingestLogs: secretKey,
  ingestMetrics: secretKey,
  getRunPacketAddress: runReader,
  pageDeployments: secretKey,
  retrieveCurrentDeployment: secretKey,
  initializeDeployment: secretKey,
  finalizeDeployment: secretKey,
  failDeployment: secretKey,
  appendBuildLog: secretKey,
  listBuildLog: secretKey,
  replayRun: secretKey,
  cancelRun: { ...scoped("write:runs", "write:runs:{runId}"), ofRun: "write" },
  rescheduleRun: secretKey,
  addRunTags: secretKey,
  getRunMetadata: runReader,
  updateRunMetadata: secretKey,
  resetIdempotencyKey: secretKey,

  listErrors: secretKey,
  retrieveError: secretKey,
  resolveError: secretKey,
  ignoreError: secretKey,
  unresolveError: secretKey,
  getRunMetrics: secretKey,
  getUsage: secretKey,
  listAlertChannels: secretKey,
  createAlertChannel: secretKey,
  deleteAlertChannel: secretKey,
  testAlertChannel: secretKey,
  listAlertRules: secretKey,
  createAlertRule: secretKey,
  updateAlertRule: secretKey,
  deleteAlertRule: secretKey,
  listAlertDeliveries: secretKey,
  getOrganizationUsage: member,
  searchLogs: secretKey,
  countLogs: secretKey,
  executeQuery: secretKey,
  getQuerySchema: secretKey,

  listQueues: secretKey,
  getQueue: secretKey,
  getQueueMetrics: secretKey,
  pauseQueue: secretKey,
  overrideQueueConcurrency: secretKey,
  resetQueueConcurrency: secretKey,
  overrideQueueRateLimit: secretKey,
  resetQueueRateLimit: secretKey,
  overrideQueuePartitions: secretKey,
  resetQueuePartitions: secretKey,

  listConcurrencyLimits: secretKey,
  retrieveConcurrencyLimit: secretKey,
  overrideConcurrencyLimit: secretKey,
  pauseConcurrencyLimit: secretKey,
  resetConcurrencyLimit: secretKey,

  getEnvironment: accessToken,
  pauseEnvironment: accessToken,
  resumeEnvironment: accessToken,
  uploadBundle: accessToken,
  listEnvironmentHosts: accessToken,
  listDeployments: accessToken,
  retrieveDeployment: accessToken,
  createDeployment: accessToken,
  promoteDeployment: accessToken,

  listKeys: accessToken,
  createKey: accessToken,
  rotateKey: accessToken,
  revokeKey: accessToken,

  createPublicToken: secretKey,
  createTokenClaims: secretKey,

  registerDevelopment: secretKey,
  createTunnelTicket: secretKey,
  openTunnel: open,

  registerHost: hostToken,
  dequeueRuns: host,
  reportRuns: host,
  getHostDeployment: host,
  downloadBundle: host,

  listVariables: environment,
  createVariable: environment,
  importVariables: environment,
  retrieveVariable: environment,
  updateVariable: environment,
  deleteVariable: environment,
  rotateEncryption: member,
  rewrapEncryption: adminToken,

  createBulkAction: secretKey,
  listBulkActions: secretKey,
  retrieveBulkAction: secretKey,
  abortBulkAction: secretKey,

  getSignInMethods: open,
  getMe: session,
  listSessions: session,
  revokeOtherSessions: session,
  revokeSession: session,
  listLinkedAccounts: session,
  unlinkAccount: session,
  listPasskeys: session,
  renamePasskey: session,
  deletePasskey: session,
  getPreferences: session,
  updatePreferences: session,
  listRecentPayloads: session,
  addRecentPayload: session,
  listAccessTokens: session,
  createAccessToken: session,
  revokeAccessToken: session,
  getOwnAccessToken: token,
  revokeOwnAccessToken: token,
  startDeviceLogin: open,
  pollDeviceLogin: open,
  lookUpDeviceLogin: session,
  approveDeviceLogin: session,
  denyDeviceLogin: session,
  createOrganization: session,
  getOrganization: member,
  updateOrganization: member,
  listMembers: member,
  changeMemberRole: member,
  removeMember: member,
  listInvitations: member,
  createInvitation: member,
  revokeInvitation: member,
  lookUpInvitation: open,
  acceptInvitation: session,
  listProjects: member,
  createProject: member,
  updateProject: member,
  countProjectDeletion: member,
  deleteProject: member,
  listProjectEnvironments: project,
  createProjectEnvironment: project,
  archiveBranch: project,
  changeEnvironmentLimits: accessToken,
  listAuditLog: member,
  exportAuditLog: member,

  bootstrap: adminToken,
  createSignInLink: adminToken,
  sendTestMail: adminToken,
  updateEnvironmentSettings: adminToken,
  listOrganizations: adminToken,
  addOrganization: adminToken,
  inspectOrganization: adminToken,
  setOrganizationLimits: adminToken,
  listHosts: adminToken,
  drainHost: adminToken,
  revokeHost: adminToken,
  rebuildQuerySide: adminToken,
  listOperatorAudit: adminToken,

  /** Checks the credential itself: a WebSocket sends it in another way, and a refusal is a message. */
  connectLive: open,
  /**
   * Check the credential themselves: a token that expires during a subscription is accepted as long as its
   * handle is valid.
   */
  watchRun: selfChecked,
  watchRuns: selfChecked,
  watchBatch: selfChecked,
  readStream: selfChecked,
  /** Operations that only code inside the run, or a holder of the key, may do. */
  createStream: secretKey,
  writeStream: secretKey,
  appendToStream: secretKey,
  getStreamPosition: secretKey,
  waitForInput: secretKey,
  readInput: selfChecked,
  sendInput: scoped("write:inputStreams", "write:inputStreams:{runId}"),

  checkHealth: open,
  getServerMetrics: metricsToken,
  getOpenApi: open,
} as const satisfies Record<string, Access>;

export type OperationId = keyof typeof ACCESS;
