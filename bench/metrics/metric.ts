import type { Marks } from "../marks.ts";
import type { System } from "../systems/system.ts";

/** One figure of one round. */
export type Figures = Record<string, number>;

export interface Unit {
  /** As it is shown, for example "ms". */
  unit: "ms" | "/s" | "";
  /** Whether more is better; it decides how a ratio reads. */
  better: "less" | "more";
  label: string;
}

export interface Metric {
  readonly id: string;
  readonly title: string;
  /** How it is measured, for the reader of the table. */
  readonly how: string;
  readonly figures: Record<string, Unit>;
  /** Measured for queues without durable execution too: they have neither steps nor an HTTP API to compare. */
  readonly ofQueues?: boolean;
  /** Runs of one round. */
  readonly runs: number;
  /** Most rounds that are worth their time. Default: as many as asked for. */
  readonly maxRounds?: number;
  /** Runs once before the rounds, unmeasured; default: a round. */
  warmUp?(system: System, marks: Marks): Promise<void>;
  round(system: System, marks: Marks, runs: number): Promise<Figures>;
}
