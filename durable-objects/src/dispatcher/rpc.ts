import type { AboutHost, DequeueRequest, HostNotice } from "@acme/sdk/contract";
import type { EnvironmentState } from "../environment/rpc.ts";
import type { LeasedRun } from "../queue/rpc.ts";

/**
 * The answer to a poll. The Worker joins the `DequeuedRun` JSON texts into the body of a `DequeueResponse`, each with the
 * token of its lease.
 */
export interface PollResult {
  runs: LeasedRun[];
  notices: HostNotice[];
  now: number;
  /** The host's session has ended (it was silent for too long, or the host restarted): the host must begin a new one. */
  ended?: boolean;
}

export interface HostInfo {
  hostId: string;
  sessionId: string;
  lastSeenAt: number;
  polls: number;
  /** What the host reported with its last poll. */
  about?: AboutHost;
}

export interface HostRegistration {
  hostId: string;
  /** SHA-256 in hexadecimal. */
  credentialHash: string;
  name?: string;
}

/** `unknown` is also the answer if the credential is another host's. */
export type HostVerdict = "ok" | "unknown" | "revoked";

/** A registered host. Times are in milliseconds since the epoch. */
export interface RegisteredHostRecord {
  hostId: string;
  name: string | null;
  registeredAt: number;
  revokedAt: number | null;
  /** When it stopped getting runs. Null: it gets runs. */
  drainingAt: number | null;
  /** When its last session began or ended; now if it is connected; null: never. */
  lastSeenAt: number | null;
  isConnected: boolean;
  /** The number of waiting polls. */
  polls: number;
  /** What it reported with its last poll, while it is connected. */
  about?: AboutHost;
}

export interface DispatcherRpc {
  /** Idempotent. `exists`: another host has that id; `revoked`: the host was revoked. Nothing is changed then. */
  registerHost(host: HostRegistration): Promise<"ok" | "exists" | "revoked">;
  verifyHost(hostId: string, credentialHash: string): Promise<HostVerdict>;
  /**
   * Ends the host's session at once, so that its runs are queued again. Idempotent. Null: there is no such
   * host.
   */
  revokeHost(hostId: string): Promise<RegisteredHostRecord | null>;
  /**
   * A host that drains gets no more runs; its current runs continue. `draining` false: it gets runs again. Idempotent. Null:
   * there is no such host.
   */
  drainHost(hostId: string, draining: boolean): Promise<RegisteredHostRecord | null>;
  /** Returns at most `limit` hosts, the latest to register first. */
  listHosts(limit: number): Promise<RegisteredHostRecord[]>;
  reportEnvironment(state: EnvironmentState): Promise<void>;
  poll(request: DequeueRequest): Promise<PollResult>;
  /** The host reported, so it is alive. `goodbye` ends its session at once. */
  hostSeen(hostId: string, sessionId: string, goodbye: boolean): Promise<void>;
  /**
   * From a QueueObject with prefetched permits: runs that it leased to this session. `delivered` false: the
   * session has ended or its host drains, so the queue takes them back. `more` false: the host can take no
   * more runs, or others wait for it.
   */
  deliver(sessionId: string, runs: LeasedRun[]): Promise<{ delivered: boolean; more: boolean }>;
  notifyHost(sessionId: string, notices: HostNotice[]): Promise<void>;
  hosts(): Promise<HostInfo[]>;
}
