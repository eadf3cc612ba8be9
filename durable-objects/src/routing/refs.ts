/** Identifies an environment. It is part of calls, so that objects need no lookup. */
export interface EnvironmentRef {
  /** 8 base-36 characters; the name of the environment's object. */
  key: string;
  id: string;
  slug: string;
  type: "DEVELOPMENT" | "STAGING" | "PREVIEW" | "PRODUCTION";
  project: { id: string; ref: string; name: string };
  organization: { id: string; slug: string; name: string };
}

export interface QueueRef {
  environment: EnvironmentRef;
  /** Queue name as users know it. */
  queue: string;
  /**
   * Counts from 0. A queue is one object unless it is split. Partition 0 keeps the changes through the API.
   */
  partition: number;
  queueKey: string;
}

export interface DeploymentRef {
  id: string;
  version: string;
  contentHash: string;
}
