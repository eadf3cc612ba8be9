import type { DequeueRequest, HostNotice } from "@acme/sdk/contract";
import type { EnvironmentState } from "../environment/rpc.ts";
import type { LeasedRun } from "../queue/rpc.ts";

/** What a poll brings: the Worker joins the `DequeuedRun` JSON texts into the body of a `DequeueResponse`. */
export interface PollResult {
  runs: string[];
  notices: HostNotice[];
  now: number;
  /** The host's session was ended (it was silent too long, or the host started anew): it must begin a new one. */
  ended?: boolean;
}

export interface HostInfo {
  hostId: string;
  sessionId: string;
  lastSeenAt: number;
  polls: number;
}

export interface DispatcherRpc {
  reportEnvironment(state: EnvironmentState): Promise<void>;
  poll(request: DequeueRequest): Promise<PollResult>;
  /** A host reported: it is alive. `goodbye` ends its session at once. */
  hostSeen(hostId: string, sessionId: string, goodbye: boolean): Promise<void>;
  /**
   * From a QueueObject with prefetched permits: runs it leased to this session. `delivered` false: the session is over, the
   * queue takes them back. `more` false: the host has no room left, or others wait for it.
   */
  deliver(sessionId: string, runs: LeasedRun[]): Promise<{ delivered: boolean; more: boolean }>;
  notifyHost(sessionId: string, notices: HostNotice[]): Promise<void>;
  hosts(): Promise<HostInfo[]>;
}
