import { Alarm } from "../lib/alarm.ts";
import { hasTables, migrate, objectSql, type Sql } from "../lib/sql.ts";
import { claimKey } from "./key-claim.ts";

/** How soon the alarm retries work that failed. */
export const SAFETY_MS = 5_000;

export interface LifecycleOptions {
  migrations: readonly string[];
  /** Does what is due now, as far as other objects can be reached. */
  serve(): Promise<void>;
  /**
   * When the alarm has something to do; null: never. After everything else is done, this is the time at which the object is
   * to be deleted.
   */
  nextDue(): number | null;
}

/**
 * The life of an object that exists for a while, such as a token or a batch. It gets its tables when it is first written to,
 * so that asking for an object that does not exist creates nothing; its alarm serves what is due; and it deletes all it
 * stores once nothing is left to do. Under another name, an object of the same class is the home of an idempotency key.
 */
export class Lifecycle {
  readonly sql: Sql;
  readonly #storage: DurableObjectStorage;
  readonly #alarm: Alarm;
  readonly #options: LifecycleOptions;

  constructor(ctx: DurableObjectState, options: LifecycleOptions) {
    this.sql = objectSql(ctx.storage);
    this.#storage = ctx.storage;
    this.#alarm = new Alarm(ctx.storage);
    this.#options = options;
    // The object was written by an earlier version of the code.
    if (this.exists) migrate(this.sql, options.migrations);
    ctx.blockConcurrencyWhile(() => this.#alarm.load());
  }

  /** Returns whether the object was written to, and not deleted since. */
  get exists(): boolean {
    return hasTables(this.sql);
  }

  /** Creates the tables, unless they are there. */
  create(): void {
    if (!this.exists) migrate(this.sql, this.#options.migrations);
  }

  /** Sets the alarm for what is due next. To be called after each change. */
  arm(): void {
    const due = this.#options.nextDue();
    if (due !== null) this.#alarm.by(due);
  }

  /** Makes the alarm fire at once. */
  wake(): void {
    this.#alarm.by(Date.now());
  }

  /** See `KeyClaimRpc`. */
  claimKey(claim: { id: string; expiresAt: number }): { id: string; claimed: boolean; expiresAt: number } {
    this.create();
    const result = claimKey(this.sql, claim, Date.now());
    this.arm();
    return result;
  }

  /** To be called when the alarm fires. */
  async alarm(info?: AlarmInvocationInfo): Promise<void> {
    this.#alarm.fired(info);
    if (!this.exists) return;
    await this.#options.serve();
    const due = this.#options.nextDue();
    if (due !== null && due <= Date.now()) await this.#storage.deleteAll();
    else this.arm();
  }
}
