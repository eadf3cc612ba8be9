import type { OperationResult } from "@acme/sdk/contract";
import type { KeyClaimRpc } from "../shared/rpc.ts";

/** A token that somebody outside completes. */
export interface WaitpointRecord {
  id: string;
  environmentKey: string;
  status: "PENDING" | "COMPLETED" | "TIMED_OUT";
  tags: string[];
  idempotencyKey: string | null;
  idempotencyKeyExpiresAt: number | null;
  /** Milliseconds since the epoch, as all times here. */
  createdAt: number;
  timeoutAt: number | null;
  completedAt: number | null;
  output: string | null;
  outputType: string | null;
  outputIsError: boolean;
}

/** One object a token, named by the token's id. */
export interface WaitpointRpc {
  /** Idempotent by id: an existing one is returned as it is. */
  createToken(token: {
    id: string;
    environmentKey: string;
    timeoutAt: number | null;
    idempotencyKey: string | null;
    idempotencyKeyExpiresAt: number | null;
    tags: string[];
  }): Promise<WaitpointRecord>;
  /** The first completion stands; a later one gets the record as it is. Null: there is no such token in this environment. */
  completeToken(
    environmentKey: string,
    output: { data: string | null; dataType: string; isError: boolean },
  ): Promise<WaitpointRecord | null>;
  retrieveToken(environmentKey: string): Promise<WaitpointRecord | null>;
  /**
   * From a QueueObject: tells `waiter` the result through `completeOperation` as soon as there is one (at least once).
   * Idempotent. Null: subscribed; a result: it is over already; an error where there is no such token.
   */
  waitForToken(
    environmentKey: string,
    waiter: { runId: string; attempt: number; number: number },
  ): Promise<OperationResult | null>;
}

/** The row about a token that the query side keeps: only ever replaced by one of a higher version. */
export interface WaitpointRow extends Omit<WaitpointRecord, "output" | "outputType" | "outputIsError"> {
  version: number;
}

/** The query side as tokens see it. */
export interface WaitpointProjection {
  upsertWaitpoints(rows: WaitpointRow[]): Promise<void>;
}

/** What the Worker says to the objects of the WAITPOINT namespace. */
export interface WaitpointOwnerRpc extends WaitpointRpc, KeyClaimRpc {}
