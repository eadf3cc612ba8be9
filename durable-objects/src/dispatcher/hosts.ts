import type { Sql } from "../lib/sql.ts";
import type { HostRegistration, HostVerdict, RegisteredHostRecord } from "./rpc.ts";

interface HostRow {
  host_id: string;
  credential_hash: string;
  name: string | null;
  registered_at: number;
  revoked_at: number | null;
  last_seen_at: number | null;
  draining_at: number | null;
  [column: string]: string | number | null;
}

/** The registered container hosts with the hashes of their credentials. A revoked host stays on record. */
export class HostRegistry {
  readonly #sql: Sql;
  readonly #now: () => number;
  /** Read with every poll, so it is kept in memory. */
  readonly #revoked: Set<string>;
  readonly #draining: Set<string>;

  constructor(sql: Sql, now: () => number) {
    this.#sql = sql;
    this.#now = now;
    const rows = sql.exec<{ host_id: string }>("SELECT host_id FROM hosts WHERE revoked_at IS NOT NULL");
    this.#revoked = new Set(rows.map((row) => row.host_id));
    const draining = sql.exec<{ host_id: string }>("SELECT host_id FROM hosts WHERE draining_at IS NOT NULL");
    this.#draining = new Set(draining.map((row) => row.host_id));
  }

  /** Idempotent. `exists`: the id belongs to a host with another credential; nothing was changed. */
  register({ hostId, credentialHash, name }: HostRegistration): "ok" | "exists" | "revoked" {
    const known = this.#find(hostId);
    if (known?.revoked_at != null) return "revoked";
    if (known && known.credential_hash !== credentialHash) return "exists";
    this.#sql.exec(
      `INSERT INTO hosts (host_id, credential_hash, name, registered_at) VALUES (?, ?, ?, ?)
       ON CONFLICT (host_id) DO UPDATE SET name = excluded.name`,
      hostId,
      credentialHash,
      name ?? null,
      this.#now(),
    );
    return "ok";
  }

  verify(hostId: string, credentialHash: string): HostVerdict {
    const known = this.#find(hostId);
    if (known?.credential_hash !== credentialHash) return "unknown";
    return known.revoked_at === null ? "ok" : "revoked";
  }

  isRevoked(hostId: string): boolean {
    return this.#revoked.has(hostId);
  }

  /** Returns null if there is no such host. The time of the first revocation is kept. */
  revoke(hostId: string): RegisteredHostRecord | null {
    this.#sql.exec(
      "UPDATE hosts SET revoked_at = coalesce(revoked_at, ?) WHERE host_id = ?",
      this.#now(),
      hostId,
    );
    const row = this.#find(hostId);
    if (!row) return null;
    this.#revoked.add(hostId);
    return recordOf(row);
  }

  /** Returns whether the host gets no more runs. */
  isDraining(hostId: string): boolean {
    return this.#draining.has(hostId);
  }

  /**
   * Returns null if there is no such host. The time at which it began to drain is kept until it takes runs
   * again.
   */
  drain(hostId: string, draining: boolean): RegisteredHostRecord | null {
    const before = this.#find(hostId);
    if (!before) return null;
    const at = draining ? (before.draining_at ?? this.#now()) : null;
    this.#sql.exec("UPDATE hosts SET draining_at = ? WHERE host_id = ?", at, hostId);
    if (draining) this.#draining.add(hostId);
    else this.#draining.delete(hostId);
    return recordOf({ ...before, draining_at: at });
  }

  /** Records that a session of the host begins or ends. */
  seen(hostId: string): void {
    this.#sql.exec("UPDATE hosts SET last_seen_at = ? WHERE host_id = ?", this.#now(), hostId);
  }

  /** Returns hosts, the latest to register first. */
  list(limit: number): RegisteredHostRecord[] {
    return this.#sql
      .exec<HostRow>("SELECT * FROM hosts ORDER BY registered_at DESC, host_id LIMIT ? + 0", limit)
      .map(recordOf);
  }

  #find(hostId: string): HostRow | undefined {
    return this.#sql.exec<HostRow>("SELECT * FROM hosts WHERE host_id = ?", hostId)[0];
  }
}

const recordOf = (row: HostRow): RegisteredHostRecord => ({
  hostId: row.host_id,
  name: row.name,
  registeredAt: row.registered_at,
  revokedAt: row.revoked_at,
  drainingAt: row.draining_at,
  lastSeenAt: row.last_seen_at,
  isConnected: false,
  polls: 0,
});
