import { ROLES, type Role } from "@acme/sdk/contract/api";
import type { ACCESS, OperationId } from "../auth/access.ts";
import { Failure } from "../http/failure.ts";

/** Operations whose permission depends on the role in the organization. */
export type OfEnvironment = {
  [Id in OperationId]: (typeof ACCESS)[Id]["credential"] extends
    | "secretKey"
    | "accessToken"
    | "environment"
    | "member"
    ? Id
    : never;
}[OperationId];

/**
 * The lowest role that may do an operation with a session or access token. Each role may do everything that
 * the ones before it may. A missing operation is a compile error.
 *  - viewer: sees everything except secrets.
 *  - developer: changes runs, queues, schedules, tokens and deployments.
 *  - admin: configures environments and members.
 *  - owner: everything, including who is an owner.
 */
export const LEAST_ROLE: Record<OfEnvironment, Role> = {
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
};

const LEAST: Partial<Record<OperationId, Role>> = LEAST_ROLE;

/** Returns whether the role decides who may do the operation. */
export const isOfEnvironment = (operation: OperationId): operation is OfEnvironment =>
  operation in LEAST_ROLE;

/** Returns whether a role is at least `least`. */
export const mayAs = (role: Role, least: Role): boolean => ROLES.indexOf(role) >= ROLES.indexOf(least);

/** Throws a 403 if a member's role does not allow an operation. */
export function requireRole(role: Role, operation: OperationId): void {
  const least = LEAST[operation];
  if (least !== undefined && mayAs(role, least)) return;
  throw new Failure(
    403,
    "role_not_allowed",
    `Your role in this organization is ${role}; this takes ${least === undefined ? "a key" : least}. Ask an admin or owner of the organization. Nothing was changed.`,
  );
}
