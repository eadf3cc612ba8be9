import { DatabaseSync } from "node:sqlite";
import { nodeSql } from "../../durable-objects/test/node-sql.ts";
import type { World } from "./world.ts";

/** What the network and the machines do to the objects. Probabilities are by call. */
export interface Faults {
  /** A call is lost before it arrives: the caller gets an error. */
  lostRequest: number;
  /** A call is carried out and its answer lost: the caller gets an error. */
  lostReply: number;
  /** An object dies at the moment a call arrives. */
  crash: number;
  maxLatencyMs: number;
}

type ObjectClass = new (ctx: never, env: never) => object;
type Method = (...args: unknown[]) => unknown;

interface Instance {
  object: object;
  alive: boolean;
  /** Rejects when the instance dies: whoever waits for it hears of it at once. */
  death: Promise<never>;
  die(): void;
}

function newInstance(): Instance {
  const { promise: death, reject } = Promise.withResolvers<never>();
  death.catch(() => {});
  const instance: Instance = {
    object: {},
    alive: true,
    death,
    die() {
      instance.alive = false;
      reject(new Error("simulated: the object died"));
    },
  };
  return instance;
}

/** One named object: its storage outlives its instances. */
class Slot {
  readonly database = new DatabaseSync(":memory:");
  alarmAt: number | null = null;
  instance: Instance | null = null;
}

/**
 * Durable Objects in plain Node, as far as the classes under test use them: SQLite storage that survives its object, one
 * alarm, calls between objects over a network with faults. A crash takes the instance: what it still computes reaches
 * neither its storage nor anybody else.
 */
export class Platform {
  readonly #world: World;
  readonly #classes = new Map<string, ObjectClass>();
  readonly #slots = new Map<string, Slot>();
  faults: Faults;

  constructor(world: World, faults: Faults) {
    this.#world = world;
    this.faults = faults;
  }

  define(binding: string, objectClass: ObjectClass): void {
    this.#classes.set(binding, objectClass);
  }

  /** A stub as someone outside the objects (a Worker) holds it. */
  stub<T>(binding: string, name: string): T {
    return this.#stub(binding, name, null) as T;
  }

  /** The databases of all objects of a binding, by name: for checks only. */
  databases(binding: string): Map<string, DatabaseSync> {
    const found = new Map<string, DatabaseSync>();
    for (const [id, slot] of this.#slots) {
      const [of, name] = id.split("/", 2) as [string, string];
      if (of === binding && slot.instance) found.set(name, slot.database);
      else if (of === binding) found.set(name, slot.database);
    }
    return found;
  }

  /** Kills one object's instance, if it has one. The next call or alarm starts a new one. */
  crash(id: string): void {
    const slot = this.#slots.get(id);
    if (!slot?.instance) return;
    slot.instance.die();
    slot.instance = null;
  }

  get running(): string[] {
    return [...this.#slots].filter(([, slot]) => slot.instance).map(([id]) => id);
  }

  #stub(binding: string, name: string, from: Instance | null): object {
    return new Proxy(
      {},
      {
        get: (_, method: string) =>
          method === "then"
            ? undefined
            : (...args: unknown[]) => this.#call(binding, name, method, args, from),
      },
    );
  }

  async #call(
    binding: string,
    name: string,
    method: string,
    args: unknown[],
    from: Instance | null,
  ): Promise<unknown> {
    const world = this.#world;
    const sent: unknown = structuredClone(args);
    await this.#latency();
    if (from && !from.alive) return never();
    if (world.chance(this.faults.lostRequest)) throw new Error(`simulated: ${method} to ${binding} was lost`);
    const id = `${binding}/${name}`;
    if (world.chance(this.faults.crash)) this.crash(id);
    const slot = this.#slot(id);
    const instance = slot.instance ?? this.#start(id, binding, name, slot);
    const work = (Reflect.get(instance.object, method) as Method).apply(instance.object, sent as unknown[]);
    const result: unknown = await Promise.race([work, instance.death]);
    const reply: unknown = structuredClone(result);
    await this.#latency();
    if (from && !from.alive) return never();
    if (world.chance(this.faults.lostReply))
      throw new Error(`simulated: the answer of ${method} of ${binding} was lost`);
    return reply;
  }

  #latency(): Promise<void> {
    // Mostly fast, now and then very late.
    const { maxLatencyMs } = this.faults;
    return this.#world.sleep(
      this.#world.chance(0.02) ? maxLatencyMs * 20 : this.#world.random() * maxLatencyMs,
    );
  }

  #slot(id: string): Slot {
    let slot = this.#slots.get(id);
    if (!slot) {
      slot = new Slot();
      this.#slots.set(id, slot);
    }
    return slot;
  }

  #start(id: string, binding: string, name: string, slot: Slot): Instance {
    const instance = newInstance();
    slot.instance = instance;
    const env = Object.fromEntries(
      [...this.#classes.keys()].map((to) => [
        to,
        { getByName: (target: string) => this.#stub(to, target, instance) },
      ]),
    );
    const objectClass = this.#classes.get(binding) as ObjectClass;
    instance.object = new objectClass(this.#context(id, name, slot, instance) as never, env as never);
    return instance;
  }

  #context(id: string, name: string, slot: Slot, instance: Instance) {
    const sql = nodeSql(slot.database);
    const check = () => {
      if (!instance.alive) throw new Error("simulated: a dead object reached for its storage");
    };
    return {
      id: { name },
      waitUntil: (work: Promise<unknown>) => void work.catch(() => {}),
      blockConcurrencyWhile: (work: () => Promise<unknown>) => work(),
      storage: {
        sql: {
          exec: (query: string, ...bindings: (string | number | null)[]) => {
            check();
            const rows = sql.exec(query, ...bindings);
            return { toArray: () => rows };
          },
        },
        transactionSync: <T>(work: () => T): T => {
          check();
          return sql.transaction(work);
        },
        getAlarm: async () => slot.alarmAt,
        setAlarm: (at: number) => {
          check();
          this.#setAlarm(id, slot, at);
        },
      },
    };
  }

  #setAlarm(id: string, slot: Slot, at: number): void {
    slot.alarmAt = at;
    this.#world.after(at - this.#world.now, () => {
      if (slot.alarmAt !== at) return;
      slot.alarmAt = null;
      void this.#fire(id, slot, at, 0);
    });
  }

  /** An alarm is delivered at least once: when its handler dies, it comes again. */
  async #fire(id: string, slot: Slot, at: number, tries: number): Promise<void> {
    const [binding, name] = id.split("/", 2) as [string, string];
    const instance = slot.instance ?? this.#start(id, binding, name, slot);
    try {
      await Promise.race([
        (Reflect.get(instance.object, "alarm") as Method).call(instance.object),
        instance.death,
      ]);
    } catch {
      if (tries < 6 && slot.alarmAt === null) {
        this.#world.after(2_000 * 2 ** tries, () => void this.#fire(id, slot, at, tries + 1));
      }
    }
  }
}

const never = (): Promise<never> => new Promise(() => {});
