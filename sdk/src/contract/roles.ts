/** In ascending order: each role may do everything that the ones before it may. */
export const ROLES = ["viewer", "developer", "admin", "owner"] as const;
type Role = (typeof ROLES)[number];

/**
 * The lowest role that may do an operation with a session or access token. Each role may do everything that
 * the ones before it may. The API refuses by this table, and the dashboard shows controls by it. A missing operation is a
 * compile error in `workers/src/people/require-role.ts`.
 *  - viewer: sees everything except secrets.
 *  - developer: changes runs, queues, schedules, tokens and deployments.
 *  - admin: configures environments and members.
 *  - owner: everything, including who is an owner.
 */
export const LEAST_ROLE = {
  triggerTask: "developer",

  listKeys: "viewer",
  createKey: "admin",
  rotateKey: "admin",
  revokeKey: "admin",

  registerDevelopment: "developer",
  createTunnelTicket: "developer",

  createPublicToken: "developer",
  createTokenClaims: "developer",

  createBatch: "developer",
  streamBatchItems: "developer",
  listBatches: "viewer",
  retrieveBatch: "viewer",
  retrieveBatchV1: "viewer",
  listBatchResults: "viewer",
  batchTriggerV1: "developer",
  batchTriggerV2: "developer",
  batchTriggerTask: "developer",

  listTokens: "viewer",
  createToken: "developer",
  retrieveToken: "viewer",
  completeToken: "developer",
  createTokenLink: "developer",

  getPacketAddress: "viewer",
  createPacketAddressV1: "developer",
  createPacketAddress: "developer",

  previewCron: "viewer",
  listSchedules: "viewer",
  createSchedule: "developer",
  retrieveSchedule: "viewer",
  updateSchedule: "developer",
  deleteSchedule: "developer",
  activateSchedule: "developer",
  deactivateSchedule: "developer",

  listRuns: "viewer",
  listProjectRuns: "viewer",
  retrieveRun: "viewer",
  getRunResult: "viewer",
  listRunEvents: "viewer",
  listRunAttempts: "viewer",
  explainRun: "viewer",
  retrieveRunTrace: "viewer",
  retrieveSpan: "viewer",
  listRunLogs: "viewer",
  ingestTraces: "developer",
  ingestLogs: "developer",
  ingestMetrics: "developer",
  getRunPacketAddress: "viewer",
  pageDeployments: "viewer",
  retrieveCurrentDeployment: "viewer",
  initializeDeployment: "developer",
  finalizeDeployment: "developer",
  failDeployment: "developer",
  appendBuildLog: "developer",
  listBuildLog: "viewer",
  replayRun: "developer",
  cancelRun: "developer",
  rescheduleRun: "developer",
  addRunTags: "developer",
  getRunMetadata: "viewer",
  updateRunMetadata: "developer",
  resetIdempotencyKey: "developer",

  createBulkAction: "developer",
  listBulkActions: "viewer",
  retrieveBulkAction: "viewer",
  abortBulkAction: "developer",

  createStream: "developer",
  writeStream: "developer",
  appendToStream: "developer",
  getStreamPosition: "viewer",
  waitForInput: "developer",
  sendInput: "developer",

  listErrors: "viewer",
  retrieveError: "viewer",
  resolveError: "developer",
  ignoreError: "developer",
  unresolveError: "developer",
  getRunMetrics: "viewer",
  getUsage: "viewer",
  getOrganizationUsage: "viewer",
  searchLogs: "viewer",
  countLogs: "viewer",
  executeQuery: "viewer",
  getQuerySchema: "viewer",
  // A channel determines where data of the environment is sent.
  listAlertChannels: "viewer",
  createAlertChannel: "admin",
  deleteAlertChannel: "admin",
  testAlertChannel: "developer",
  listAlertRules: "viewer",
  createAlertRule: "developer",
  updateAlertRule: "developer",
  deleteAlertRule: "developer",
  listAlertDeliveries: "viewer",

  listQueues: "viewer",
  getQueue: "viewer",
  getQueueMetrics: "viewer",
  pauseQueue: "developer",
  overrideQueueConcurrency: "developer",
  resetQueueConcurrency: "developer",
  overrideQueueRateLimit: "developer",
  resetQueueRateLimit: "developer",
  overrideQueuePartitions: "developer",
  resetQueuePartitions: "developer",

  listConcurrencyLimits: "viewer",
  retrieveConcurrencyLimit: "viewer",
  overrideConcurrencyLimit: "developer",
  pauseConcurrencyLimit: "developer",
  resetConcurrencyLimit: "developer",

  getEnvironment: "viewer",
  pauseEnvironment: "admin",
  resumeEnvironment: "admin",
  uploadBundle: "developer",
  listEnvironmentHosts: "viewer",
  listDeployments: "viewer",
  retrieveDeployment: "viewer",
  createDeployment: "developer",
  promoteDeployment: "developer",

  // Values of variables that are not secret are shown, but not to viewers.
  listVariables: "developer",
  createVariable: "developer",
  importVariables: "developer",
  retrieveVariable: "developer",
  updateVariable: "developer",
  deleteVariable: "developer",
  rotateEncryption: "admin",

  getOrganization: "viewer",
  updateOrganization: "admin",
  listMembers: "viewer",
  // Only owners change who is an owner: see control/members.ts.
  changeMemberRole: "admin",
  // Any member may leave; see control/members.ts for removing others.
  removeMember: "viewer",
  listInvitations: "admin",
  createInvitation: "admin",
  revokeInvitation: "admin",
  listProjects: "viewer",
  createProject: "admin",
  updateProject: "admin",
  countProjectDeletion: "owner",
  deleteProject: "owner",
  listProjectEnvironments: "viewer",
  createProjectEnvironment: "developer",
  archiveBranch: "developer",
  changeEnvironmentLimits: "admin",
  listAuditLog: "admin",
  exportAuditLog: "admin",
} as const satisfies Readonly<Record<string, Role>>;

/** The id of an operation that depends on the role in the organization. */
export type OperationOfRole = keyof typeof LEAST_ROLE;

/** Returns whether a role is at least `least`. */
export const mayAs = (role: Role, least: Role): boolean => ROLES.indexOf(role) >= ROLES.indexOf(least);
