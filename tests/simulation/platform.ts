import { DatabaseSync } from "node:sqlite";
import { nodeSql, type Statements } from "../../durable-objects/test/node-sql.ts";
import { type Faults, LONG_DELAY_MS } from "./faults.ts";
import { Instance } from "./instance.ts";
import { Link, type ObjectSocket, OPEN, socketOf } from "./sockets.ts";
import type { World } from "./world.ts";

type ObjectClass = new (ctx: never, env: never) => object;
type Method = (...args: unknown[]) => unknown;

/** How long an object that is replaced may still finish pending calls. */
const RETIRED_MS = 30_000;
const ALARM_TRIES = 6;
/** An object with sockets that is idle for this long sleeps: only its sockets and its storage are kept. */
const SLEEPS_AFTER_MS = 10_000;

/** One named object: its storage outlives its instances. */
class Slot {
  readonly id: string;
  readonly binding: string;
  readonly name: string;
  readonly database = new DatabaseSync(":memory:");
  readonly statements: Statements = new Map();
  alarmAt: number | null = null;
  instance: Instance | null = null;
  /** Null: the connection is not open yet. */
  readonly sockets = new Map<ObjectSocket, Link | null>();

  constructor(binding: string, name: string) {
    this.id = `${binding}/${name}`;
    this.binding = binding;
    this.name = name;
  }
}

/**
 * Durable Objects in plain Node, as far as the classes under test use them: SQLite storage that survives its object, one
 * alarm, calls between objects over a network with faults. After a crash, an instance reaches neither its storage nor other
 * objects, except by calls that are in flight already.
 */
export class Platform {
  readonly #world: World;
  readonly #classes = new Map<string, ObjectClass>();
  readonly #slots = new Map<string, Slot>();
  readonly #written = new Set<Slot>();
  readonly #mayRepeat: (method: string) => boolean;
  faults: Faults;
  /** Called with each statement of an object before the object first runs it. */
  onStatement: (binding: string, database: DatabaseSync, query: string) => void = () => {};

  /** `mayRepeat`: whether the network may deliver a call of this method twice. */
  constructor(world: World, faults: Faults, mayRepeat: (method: string) => boolean) {
    this.#world = world;
    this.faults = faults;
    this.#mayRepeat = mayRepeat;
  }

  define(binding: string, objectClass: ObjectClass): void {
    this.#classes.set(binding, objectClass);
  }

  /** Returns a stub for a caller outside the objects (a Worker). */
  stub<T>(binding: string, name: string): T {
    return this.#stub(binding, name, null) as T;
  }

  /** The databases of all objects of a binding, by name: for checks only. */
  databases(binding: string): Map<string, DatabaseSync> {
    const found = new Map<string, DatabaseSync>();
    for (const slot of this.#slots.values())
      if (slot.binding === binding) found.set(slot.name, slot.database);
    return found;
  }

  /** The databases of a binding's objects that were written to since the last call. */
  *written(binding: string): Generator<[name: string, database: DatabaseSync]> {
    for (const slot of this.#written) {
      if (slot.binding !== binding) continue;
      this.#written.delete(slot);
      yield [slot.name, slot.database];
    }
  }

  /**
   * Opens a WebSocket to an object, whose `fetch` gets these headers. `client` takes what the object sends, and the code
   * with which the connection ends.
   */
  async connect(
    binding: string,
    name: string,
    headers: Headers,
    client: (frame: { text: string } | { code: number }) => void,
  ): Promise<Link> {
    const slot = this.#slot(binding, name);
    const faults = () => this.faults;
    await this.#latency();
    if (this.#world.chance(faults().lostRequest)) throw lost(slot, "fetch");
    const socket = socketOf(await this.#deliver(slot, "fetch", [{ headers }], "connects"));
    if (!socket) throw new Error("simulated: no socket was opened");
    const server = {
      message: (on: ObjectSocket, text: string) =>
        void this.#deliver(slot, "webSocketMessage", [on, text], text).catch(() => {}),
      closed: (on: ObjectSocket, code: number) => {
        slot.sockets.delete(on);
        void this.#deliver(slot, "webSocketClose", [on, code], `${code}`).catch(() => {});
      },
    };
    const link = new Link({ world: this.#world, faults }, socket, server, client);
    if (slot.sockets.has(socket)) slot.sockets.set(socket, link);
    else link.objectLost();
    await this.#latency();
    if (this.#world.chance(faults().lostReply)) {
      link.break();
      throw lost(slot, "fetch");
    }
    return link;
  }

  get running(): string[] {
    return [...this.#slots.values()].filter((slot) => slot.instance).map((slot) => slot.id);
  }

  /** Ends all objects and deletes their storage. Functions that a database calls would keep this platform in memory. */
  close(): void {
    for (const { database, instance } of this.#slots.values()) {
      instance?.retire();
      database.close();
    }
  }

  /** Kills one object's instance, if it has one. The next call or alarm starts a new one. */
  crash(id: string): void {
    const slot = this.#slots.get(id);
    if (slot?.instance) this.#kill(slot, slot.instance);
  }

  /** Replaces an object's instance, as a deployment does: pending calls may end, without access to the storage. */
  evict(id: string): void {
    const slot = this.#slots.get(id);
    const instance = slot?.instance;
    if (!slot || !instance) return;
    this.#world.note(`${id} is replaced`);
    slot.instance = null;
    instance.retire();
    dropSockets(slot);
    this.#world.after(RETIRED_MS, () => instance.die());
  }

  /** Changes the clock of an object's machine. */
  setClock(id: string): void {
    const clock = this.#slots.get(id)?.instance?.clock;
    if (clock) clock.skewMs = this.#skew();
  }

  #kill(slot: Slot, instance: Instance): void {
    this.#world.note(`${slot.id} dies`);
    instance.die();
    if (slot.instance !== instance) return;
    slot.instance = null;
    dropSockets(slot);
  }

  /** Evicts an object with sockets once it has been idle for a while. */
  #sleepSoon(slot: Slot, instance: Instance): void {
    if (slot.sockets.size === 0 || instance.sleepsSoon) return;
    instance.sleepsSoon = true;
    this.#world.after(SLEEPS_AFTER_MS, () => {
      instance.sleepsSoon = false;
      if (slot.instance !== instance || slot.sockets.size === 0) return;
      if (!instance.isIdle || this.#world.now < instance.activeAt + SLEEPS_AFTER_MS) {
        this.#sleepSoon(slot, instance);
        return;
      }
      this.#world.note(`${slot.id} sleeps`);
      slot.instance = null;
      instance.retire();
    });
  }

  #skew(): number {
    const { skewMs } = this.faults;
    return skewMs === 0 ? 0 : this.#world.between(-skewMs, skewMs);
  }

  #stub(binding: string, name: string, from: Instance | null): object {
    return new Proxy(
      {},
      {
        get: (_, method: string) =>
          method === "then"
            ? undefined
            : (...args: unknown[]) => this.#call(this.#slot(binding, name), method, args, from),
      },
    );
  }

  async #call(slot: Slot, method: string, args: unknown[], from: Instance | null): Promise<unknown> {
    const world = this.#world;
    const { faults } = this;
    const sent = structuredClone(args);
    if (world.chance(faults.late)) {
      this.#deliverLater(slot, method, sent);
      await this.#latency();
      throw lost(slot, method);
    }
    await this.#latency();
    // The last call of a dead sender may arrive, or be lost with it.
    if (from && !from.alive && world.chance(0.5)) return never();
    if (world.chance(faults.lostRequest)) throw lost(slot, method);
    if (this.#mayRepeat(method) && world.chance(faults.duplicate)) this.#deliverLater(slot, method, sent);
    const reply = await this.#deliver(slot, method, sent);
    await this.#latency();
    if (from && !from.alive) return never();
    if (world.chance(faults.lostReply)) throw lost(slot, method);
    return reply;
  }

  /** Makes a call whose answer nobody awaits. */
  #deliverLater(slot: Slot, method: string, args: unknown[]): void {
    const delay = this.#world.chance(0.5) ? 2_000 : LONG_DELAY_MS;
    const copy = structuredClone(args);
    this.#world.after(
      this.#world.random() * delay,
      () => void this.#deliver(slot, method, copy).catch(() => {}),
    );
  }

  /** Calls a method of the object, which is started if it does not run. `traced`: the arguments as the trace shows them. */
  async #deliver(
    slot: Slot,
    method: string,
    args: unknown[],
    traced: string = JSON.stringify(args),
  ): Promise<unknown> {
    const world = this.#world;
    if (world.chance(this.faults.crash)) this.crash(slot.id);
    const instance = slot.instance ?? this.#start(slot);
    await instance.ready;
    world.note(`${slot.id}.${method} ${traced}`);
    const call = () => (Reflect.get(instance.object, method) as Method).apply(instance.object, args);
    instance.begins(world.now);
    this.#sleepSoon(slot, instance);
    try {
      const result: unknown = await Promise.race([world.clock.run(instance.clock, call), instance.death]);
      if (result instanceof Response) return result;
      world.note(`${slot.id}.${method} = ${JSON.stringify(result)}`);
      return structuredClone(result);
    } catch (error) {
      world.note(`${slot.id}.${method} failed: ${error instanceof Error ? error.message : error}`);
      throw error;
    } finally {
      instance.ends();
    }
  }

  #latency(): Promise<void> {
    // Mostly fast, and sometimes very slow.
    const { maxLatencyMs } = this.faults;
    return this.#world.sleep(
      this.#world.chance(0.02) ? maxLatencyMs * 20 : this.#world.random() * maxLatencyMs,
    );
  }

  #slot(binding: string, name: string): Slot {
    const id = `${binding}/${name}`;
    let slot = this.#slots.get(id);
    if (!slot) {
      slot = new Slot(binding, name);
      this.#slots.set(id, slot);
    }
    return slot;
  }

  #start(slot: Slot): Instance {
    const instance = new Instance({ skewMs: this.#skew() });
    slot.instance = instance;
    const env = Object.fromEntries(
      [...this.#classes.keys()].map((to) => [
        to,
        { getByName: (target: string) => this.#stub(to, target, instance) },
      ]),
    );
    const objectClass = this.#classes.get(slot.binding) as ObjectClass;
    try {
      this.#world.clock.run(instance.clock, () => {
        instance.object = new objectClass(this.#context(slot, instance) as never, env as never);
      });
    } catch (error) {
      this.#world.note(`${slot.id} does not start: ${error instanceof Error ? error.stack : error}`);
      this.#kill(slot, instance);
      throw error;
    }
    return instance;
  }

  #context(slot: Slot, instance: Instance) {
    const { binding, database, statements } = slot;
    const sql = nodeSql(database, (query) => this.onStatement(binding, database, query), statements);
    let depth = 0;
    const check = () => {
      if (!instance.hasStorage) throw new Error("simulated: a dead object accessed its storage");
    };
    const wrote = () => {
      this.#written.add(slot);
      // The writes of one turn are kept or lost together, so the crash comes after this turn.
      if (depth === 0 && this.#world.chance(this.faults.crashAfterWrite))
        queueMicrotask(() => {
          if (instance.alive) this.#kill(slot, instance);
        });
    };
    return {
      id: { name: slot.name },
      waitUntil: (work: Promise<unknown>) => {
        instance.begins(this.#world.now);
        void work.catch(() => {}).then(() => instance.ends());
      },
      acceptWebSocket: (socket: ObjectSocket) => slot.sockets.set(socket, null),
      getWebSockets: () => [...slot.sockets.keys()].filter(({ readyState }) => readyState === OPEN),
      setWebSocketAutoResponse: () => {},
      blockConcurrencyWhile: (work: () => Promise<unknown>) => {
        instance.ready = work();
        return instance.ready;
      },
      storage: {
        sql: {
          exec: (query: string, ...bindings: (string | number | null)[]) => {
            check();
            const rows = sql.exec(query, ...bindings);
            if (!isRead(query)) wrote();
            return {
              columnNames: Object.keys(rows[0] ?? {}),
              raw: () => rows.map((row) => Object.values(row)),
            };
          },
        },
        transactionSync: <T>(work: () => T): T => {
          check();
          depth += 1;
          try {
            return sql.transaction(work);
          } finally {
            depth -= 1;
            wrote();
          }
        },
        getAlarm: async () => slot.alarmAt,
        setAlarm: (at: number) => {
          check();
          this.#setAlarm(slot, at, at - instance.clock.skewMs - this.#world.now);
        },
        deleteAll: async () => {
          check();
          slot.alarmAt = null;
          for (const name of tablesOf(slot.database)) slot.database.exec(`DROP TABLE ${name}`);
        },
      },
    };
  }

  #setAlarm(slot: Slot, at: number, delay: number): void {
    slot.alarmAt = at;
    this.#world.after(delay, () => {
      if (slot.alarmAt !== at) return;
      slot.alarmAt = null;
      void this.#fire(slot, 0);
    });
  }

  /** Fires an alarm. It is delivered at least once: if its handler dies, it fires again. */
  async #fire(slot: Slot, tries: number): Promise<void> {
    let instance = slot.instance;
    try {
      instance ??= this.#start(slot);
      await instance.ready;
      this.#world.note(`${slot.id}.alarm`);
      const { object } = instance;
      const alarm = () => (Reflect.get(object, "alarm") as Method).call(object);
      await Promise.race([this.#world.clock.run(instance.clock, alarm), instance.death]);
    } catch {
      if (tries < ALARM_TRIES && slot.alarmAt === null) {
        this.#world.after(2_000 * 2 ** tries, () => {
          if (slot.alarmAt === null) void this.#fire(slot, tries + 1);
        });
      }
    }
  }
}

/** Closes the connections of an object that is gone. */
function dropSockets(slot: Slot): void {
  for (const link of slot.sockets.values()) link?.objectLost();
  slot.sockets.clear();
}

const reads = new Map<string, boolean>();

function isRead(query: string): boolean {
  let read = reads.get(query);
  if (read === undefined) {
    read = /^\s*SELECT\b/i.test(query);
    reads.set(query, read);
  }
  return read;
}

const tablesOf = (database: DatabaseSync): string[] =>
  database
    .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
    .all()
    .map((row) => row.name as string);

const lost = (slot: Slot, method: string): Error =>
  new Error(`simulated: ${method} to ${slot.binding}, or its answer, was lost`);

const never = (): Promise<never> => new Promise(() => {});
