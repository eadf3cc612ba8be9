/** Faults of the network and of machines. Probabilities are per call or per write. */
export interface Faults {
  /** A call is lost before it arrives: the caller gets an error. */
  lostRequest: number;
  /** A call is carried out and its answer lost: the caller gets an error. */
  lostReply: number;
  /**
   * The caller gets an error at once, and the call arrives long afterwards, when the caller has already sent
   * it again.
   */
  late: number;
  /** A call arrives twice, the second time a while later. */
  duplicate: number;
  /** An object dies at the moment a call arrives. */
  crash: number;
  /** An object dies right after a write: its answer is lost. */
  crashAfterWrite: number;
  /**
   * A call takes up to this long in each direction, and occasionally 20 times as long, so calls overtake each
   * other.
   */
  maxLatencyMs: number;
  /** How far the clock of a machine may be off, either way. */
  skewMs: number;
}

/** Longest delay of a late call or a duplicate. */
export const LONG_DELAY_MS = 120_000;

export const NO_FAULTS: Faults = {
  lostRequest: 0,
  lostReply: 0,
  late: 0,
  duplicate: 0,
  crash: 0,
  crashAfterWrite: 0,
  maxLatencyMs: 5,
  skewMs: 0,
};
