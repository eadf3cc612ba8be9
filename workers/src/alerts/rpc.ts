import type { EnvironmentRef } from "@acme/durable-objects/rpc";
import type { AlertDelivery } from "@acme/sdk/contract/api";

/** A run that failed with an error, as stored on the query side. */
export interface FailedRun {
  runId: string;
  task: string;
  fingerprint: string;
  /** Milliseconds since the epoch. */
  at: number;
}

export interface FailedDeployment {
  id: string;
  version: string;
  error: string;
  at: number;
}

/** A build that has begun, and when it counts as timed out if nobody has ended it. */
export interface BegunBuild {
  id: string;
  dueAt: number;
}

export interface DeliveryPage {
  limit: number;
  /** The number of the delivery after which the page begins. */
  after?: number;
  channel?: string;
  status?: AlertDelivery["status"];
}

/**
 * One object per environment, named by the environment's key. It stores what it receives before it answers;
 * its alarm does everything else.
 */
export interface AlertsRpc {
  /** Returns whether there are rules about failed runs. */
  wantsFailures(): Promise<boolean>;
  runsFailed(environment: string, runs: FailedRun[]): Promise<void>;
  deploymentFailed(environment: string, deployment: FailedDeployment): Promise<void>;
  /** A build that nobody ends, because its machine is gone, is a failed deployment too. */
  buildBegan(environment: string, build: BegunBuild): Promise<void>;
  /** Informs the object that rules or channels were changed. */
  rulesChanged(environment: string): Promise<void>;
  /** Sends a notice to one channel now. Resolves with the outcomes of its deliveries. */
  sendTest(environment: EnvironmentRef, channelId: string): Promise<AlertDelivery[]>;
  deliveries(page: DeliveryPage): Promise<{ deliveries: AlertDelivery[]; next: number | null }>;
  /** Deletes everything, because the environment was deleted. */
  clear(): Promise<void>;
}
