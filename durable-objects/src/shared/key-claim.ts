import type { Sql } from "../lib/sql.ts";

export const KEY_CLAIM_TABLE = `CREATE TABLE key_claim (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    id TEXT NOT NULL,
    expires_at INTEGER NOT NULL
  )`;

/** See `KeyClaimRpc`. */
export function claimKey(
  sql: Sql,
  { id, expiresAt }: { id: string; expiresAt: number },
  now: number,
): { id: string; claimed: boolean; expiresAt: number } {
  sql.exec(
    `INSERT INTO key_claim (one, id, expires_at) VALUES (1, ?1, ?2)
     ON CONFLICT DO UPDATE SET id = excluded.id, expires_at = excluded.expires_at WHERE expires_at <= ?3`,
    id,
    expiresAt,
    now,
  );
  const owner = sql.exec<{ id: string; expiresAt: number }>(
    "SELECT id, expires_at AS expiresAt FROM key_claim",
  )[0] as { id: string; expiresAt: number };
  return { ...owner, claimed: owner.id === id };
}

/** Returns when the claim expires; null if nobody holds the key. */
export const claimExpiry = (sql: Sql): number | null =>
  sql.exec<{ at: number }>("SELECT expires_at AS at FROM key_claim")[0]?.at ?? null;
