/**
 * After this many consecutive timeouts of saves or restores, the Engine or CRIU is considered to hang on this
 * machine.
 */
const HANGS_IN_A_ROW = 2;
/**
 * How long checkpoints are paused after that, and after a self-test that failed for another reason than a
 * timeout.
 */
export const PAUSE_MS = 600_000;
/**
 * The pauses after consecutive self-tests that missed their deadline. A machine that is merely busy, for
 * example while it starts, is tested again soon; an Engine that hangs is tested rarely.
 */
const PAUSES_AFTER_LATE_TESTS_MS = [5_000, 30_000, 120_000, PAUSE_MS];

/**
 * The state that decides whether a host saves and restores processes.
 *
 * - `testing`: an idle runtime is being saved and restored to find out whether that works. No run is saved meanwhile.
 *   `lateTests`: the number of consecutive self-tests before this one that missed their deadline.
 * - `open`: processes are saved and restored. `hangs`: the number of consecutive calls that missed their
 *   deadline.
 * - `paused`: suspended runs are replayed until `until` (milliseconds of the clock that `now` is read from).
 */
export type CheckpointGate =
  | { state: "testing"; lateTests: number }
  | { state: "open"; hangs: number }
  | { state: "paused"; reason: string; until: number; lateTests: number };

export type CheckpointEvent =
  /** The self-test, a save or a restore worked. */
  | { type: "worked" }
  /** A save or a restore passed its deadline. */
  | { type: "hung"; reason: string }
  /** The self-test failed. `isLate`: it passed its deadline. */
  | { type: "test-failed"; reason: string; isLate: boolean }
  /** Time has passed. */
  | { type: "tick" };

/**
 * Returns the gate's next state. This is the only place that decides it. An event that changes nothing
 * returns the same object.
 */
export function nextGate(gate: CheckpointGate, event: CheckpointEvent, now: number): CheckpointGate {
  switch (gate.state) {
    case "testing":
      if (event.type === "worked") return { state: "open", hangs: 0 };
      if (event.type === "test-failed") return afterFailedTest(gate.lateTests, event, now);
      return gate;
    case "open": {
      if (event.type === "worked") return gate.hangs === 0 ? gate : { state: "open", hangs: 0 };
      if (event.type !== "hung") return gate;
      const hangs = gate.hangs + 1;
      return hangs < HANGS_IN_A_ROW ? { state: "open", hangs } : paused(event.reason, now + PAUSE_MS, 0);
    }
    case "paused":
      // Calls that were in progress when the pause began may still end, but only the self-test counts.
      return event.type === "tick" && now >= gate.until
        ? { state: "testing", lateTests: gate.lateTests }
        : gate;
    default:
      return gate;
  }
}

const paused = (reason: string, until: number, lateTests: number): CheckpointGate => ({
  state: "paused",
  reason,
  until,
  lateTests,
});

function afterFailedTest(
  lateTestsBefore: number,
  { isLate, reason }: { isLate: boolean; reason: string },
  now: number,
): CheckpointGate {
  if (!isLate) return paused(reason, now + PAUSE_MS, 0);
  const pauseMs = PAUSES_AFTER_LATE_TESTS_MS[lateTestsBefore] ?? PAUSE_MS;
  return paused(reason, now + pauseMs, lateTestsBefore + 1);
}
