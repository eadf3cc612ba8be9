import { state } from "./state.ts";

export interface QueueOptions {
  /** What tasks and triggers refer to. */
  name: string;
  /** Most runs of the queue executing at once. Default: only the environment's limit. */
  concurrencyLimit?: number;
}
export type Queue = QueueOptions;

/** Declares a queue that several tasks can share. */
export function queue(options: QueueOptions): Queue {
  state.queues.push({ name: options.name, concurrencyLimit: options.concurrencyLimit });
  return options;
}
