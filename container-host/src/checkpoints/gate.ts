/** Two processes in a row that could not be saved or restored in time: the Engine or CRIU hangs on this machine. */
const HANGS_IN_A_ROW = 2;
/** How long no process is saved or restored after that, and after a self-test that failed for another reason than time. */
export const PAUSE_MS = 600_000;
/**
 * Pauses after self-tests that passed their deadline, one after the other. A machine that is merely busy, as it is while it
 * starts, is tested again soon; an Engine that hangs is soon left alone.
 */
const PAUSES_AFTER_LATE_TESTS_MS = [5_000, 30_000, 120_000, PAUSE_MS];

/**
 * Whether a host saves and restores processes.
 *
 * - `testing`: an idle runtime is being saved and restored to find out whether that works. No run is saved meanwhile.
 *   `lateTests`: how many self-tests in a row have passed their deadline before this one.
 * - `open`: processes are saved and restored. `hangs`: how many in a row were not done by their deadline.
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

/** The gate's next state. This is the only place that decides it. An event that changes nothing returns the same object. */
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
      // What was under way when the pause began may still end: it decides nothing. The self-test does.
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
