import type { WaitpointRecord, WaitpointRpc } from "../rpc.ts";

/** The row about a token that the query side keeps: only ever replaced by one of a higher version. */
export interface WaitpointRow extends Omit<WaitpointRecord, "output" | "outputType" | "outputIsError"> {
  version: number;
}

/** The query side as tokens see it. */
export interface WaitpointProjection {
  upsertWaitpoints(rows: WaitpointRow[]): Promise<void>;
}

/** Which id an idempotency key stands for. One object a key, which is none of a token or batch. */
export interface KeyClaimRpc {
  /** The given id, unless a claim that has not expired exists. Idempotent by id. */
  claimKey(claim: { id: string; expiresAt: number }): Promise<{ id: string; claimed: boolean }>;
}

/** What the Worker says to the objects of the WAITPOINT namespace. */
export interface WaitpointOwnerRpc extends WaitpointRpc, KeyClaimRpc {}
