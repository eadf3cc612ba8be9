import type { IsolateVitals } from "@acme/durable-objects/lib/vitals";

export interface VitalsReport {
  isolate: string;
  /** Grows with each report of the isolate: one that is sent again counts once. */
  seq: number;
  vitals: IsolateVitals;
}

/** All isolates together. */
export interface PlatformVitals {
  isolates: number;
  kinds: IsolateVitals["kinds"];
  sockets: number;
  counters: IsolateVitals["counters"];
  /** When counting began, in milliseconds since the epoch. */
  since: number;
}

/** One object for the platform. Isolates report the figures of their objects to it; it calls none of them. */
export interface MonitorRpc {
  report(report: VitalsReport): Promise<void>;
  read(): Promise<PlatformVitals>;
}
