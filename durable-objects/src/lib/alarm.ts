/**
 * An object's one alarm. Setting it is a write, so it is only ever moved earlier; when it fires, the object does what
 * is due and arms it anew for what comes next.
 */
export class Alarm {
  readonly #storage: DurableObjectStorage;
  /** What is set; null: nothing, undefined: not known in this life of the object. */
  #at: number | null | undefined;

  constructor(storage: DurableObjectStorage) {
    this.#storage = storage;
  }

  /** Makes sure that the alarm fires at `at` (milliseconds since the epoch) or before. */
  by(at: number): void {
    if (typeof this.#at === "number" && this.#at <= at) return;
    this.#at = at;
    // An alarm in storage that is earlier than `at` is lost by this only if this object doesn't know it, which
    // `load` rules out before the first call.
    this.#storage.setAlarm(at);
  }

  async load(): Promise<void> {
    this.#at = await this.#storage.getAlarm();
  }

  /** To be called when the alarm fires. */
  fired(): void {
    this.#at = null;
  }
}
