import type { OperationResult } from "@acme/sdk/contract";
import type { Message, QueuedMessage } from "./messages.ts";

const BATCH = 100;

interface Mailbox {
  after(id: number, limit: number): QueuedMessage[];
  /** To be called with delivered messages. `results` are those of subscriptions to tokens that are complete already. */
  delivered(ids: number[], results: { message: Message; result: OperationResult }[]): void;
}

/** Delivers the messages of a queue to other objects, many at once. Those that can't be delivered are kept for the next time. */
export class Messenger {
  readonly #mailbox: Mailbox;
  readonly #deliver: (message: Message) => Promise<OperationResult | null>;
  #busy: Promise<boolean> | null = null;
  #again = false;

  /** `deliver` throws when the receiver could not be reached. */
  constructor(mailbox: Mailbox, deliver: (message: Message) => Promise<OperationResult | null>) {
    this.#mailbox = mailbox;
    this.#deliver = deliver;
  }

  /** Resolves to false when some messages could not be delivered. */
  send(): Promise<boolean> {
    this.#again = true;
    this.#busy ??= this.#sendAll().finally(() => {
      this.#busy = null;
    });
    return this.#busy;
  }

  async #sendAll(): Promise<boolean> {
    let complete = true;
    while (this.#again) {
      this.#again = false;
      for (let last = 0; ; ) {
        const batch = this.#mailbox.after(last, BATCH);
        if (batch.length === 0) break;
        last = batch.at(-1)?.id ?? last;
        complete = (await this.#sendBatch(batch)) && complete;
      }
    }
    return complete;
  }

  async #sendBatch(batch: QueuedMessage[]): Promise<boolean> {
    const answers = await Promise.allSettled(batch.map(({ message }) => this.#deliver(message)));
    const ids: number[] = [];
    const results: { message: Message; result: OperationResult }[] = [];
    for (const [index, { id, message }] of batch.entries()) {
      const answer = answers[index];
      if (answer?.status !== "fulfilled") continue;
      ids.push(id);
      if (answer.value) results.push({ message, result: answer.value });
    }
    this.#mailbox.delivered(ids, results);
    return ids.length === batch.length;
  }
}
