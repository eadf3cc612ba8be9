import { vitals } from "./vitals.ts";

/** The storage refuses alarms after 2189. An object whose alarm fires then sets it again. */
const LATEST = Date.UTC(2180, 0);

/**
 * The one alarm of an object. Setting it is a write, so it is only ever moved earlier. When it fires, the object does what
 * is due and sets it again for what is due next.
 */
export class Alarm {
  readonly #storage: DurableObjectStorage;
  /** The time it is set to; null: it is not set; undefined: `load` has not been called yet. */
  #at: number | null | undefined;

  constructor(storage: DurableObjectStorage) {
    this.#storage = storage;
  }

  /** Makes sure that the alarm fires at `time` (milliseconds since the epoch) or before. */
  by(time: number): void {
    const at = Math.min(time, LATEST);
    if (typeof this.#at === "number" && this.#at <= at) return;
    this.#at = at;
    // This would overwrite an earlier alarm in storage that the object doesn't know of. There is none, because the object
    // calls `load` before anything else.
    this.#storage.setAlarm(at);
  }

  async load(): Promise<void> {
    this.#at = await this.#storage.getAlarm();
  }

  /** To be called when the alarm fires. `info`: what the runtime says of it. */
  fired(info?: AlarmInvocationInfo): void {
    const due = info?.isRetry ? undefined : (info?.scheduledTime ?? this.#at ?? undefined);
    if (due !== undefined) vitals.alarmFired(due, Date.now());
    this.#at = null;
  }
}
