import type { OperationResult } from "@acme/sdk/contract";
import type { TokenAnswerer, TokenForm } from "@acme/sdk/contract/api";
import type { KeyClaimRpc } from "../shared/rpc.ts";

/** A token that is completed from outside. */
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
  /** The question for the person who completes the token. */
  form: TokenForm;
  answeredBy: TokenAnswerer | null;
}

/** One object per token, named by the token's id. */
export interface WaitpointRpc {
  /** Idempotent by id: an existing one is returned as it is. */
  createToken(token: {
    id: string;
    environmentKey: string;
    timeoutAt: number | null;
    idempotencyKey: string | null;
    idempotencyKeyExpiresAt: number | null;
    tags: string[];
    form?: TokenForm;
  }): Promise<WaitpointRecord>;
  /** The first completion is kept; a later one returns the record unchanged. Null: there is no such token in this environment. */
  completeToken(
    environmentKey: string,
    output: { data: string | null; dataType: string; isError: boolean },
    answeredBy?: TokenAnswerer,
  ): Promise<WaitpointRecord | null>;
  retrieveToken(environmentKey: string): Promise<WaitpointRecord | null>;
  /**
   * From a QueueObject: sends `waiter` the result through `completeOperation` as soon as there is one (at least once).
   * Idempotent. Null: subscribed. A result: the token is complete already. An error: there is no such token.
   */
  waitForToken(
    environmentKey: string,
    waiter: { runId: string; attempt: number; number: number },
  ): Promise<OperationResult | null>;
}

/** The query side's row of a token. Only a row with a higher version replaces it. */
export interface WaitpointRow
  extends Omit<WaitpointRecord, "output" | "outputType" | "outputIsError" | "form" | "answeredBy"> {
  title: string | null;
  version: number;
}

/** The part of the query side that tokens use. */
export interface WaitpointProjection {
  upsertWaitpoints(rows: WaitpointRow[]): Promise<void>;
}

/** The methods that the Worker calls. */
export interface WaitpointOwnerRpc extends WaitpointRpc, KeyClaimRpc {}
