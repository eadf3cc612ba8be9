/** Decides which id an idempotency key stands for. There is one object per key, beside those of tokens and batches. */
export interface KeyClaimRpc {
  /**
   * The given id, unless a claim that has not expired exists. Idempotent by id. `expiresAt`: when the claim that holds
   * expires. The named object must exist until then, because the next claim of the key gets that id again.
   */
  claimKey(claim: {
    id: string;
    expiresAt: number;
  }): Promise<{ id: string; claimed: boolean; expiresAt: number }>;
}
