import type { LiveClient, LiveError, LiveLogLine, LiveRun } from "@acme/sdk/live";
import { statusFormat, style } from "../terminal/style.ts";
import { clock, levelText, messageText } from "./log-line.ts";

const logText = ({ time, level, message, properties }: LiveLogLine): string =>
  `${clock(new Date(time).toISOString())} ${levelText(level)} ${messageText(message, properties)}`;

const stateText = ({ id, taskIdentifier, status, updatedAt }: LiveRun, named: boolean): string =>
  `${clock(updatedAt)} ${style(statusFormat(status), status.padEnd(9))}${named ? ` ${id} ${style("dim", taskIdentifier)}` : ""}`;

/** Log lines may still arrive this long after the run's end, because they are sent separately. */
const LAST_LINES_MS = 500;

/**
 * Prints the states and the log lines of a run as they arrive, until it has ended, and returns its last
 * state.
 * @throws LiveError if it does not exist or may not be read
 */
export async function followRun(live: LiveClient, id: string, json: boolean): Promise<LiveRun> {
  const { promise, resolve, reject } = Promise.withResolvers<LiveRun>();
  const options = { onError: (error: LiveError) => reject(error) };
  let status = "";
  let lastLineAt = 0;
  const print = (value: unknown, text: string) => console.log(json ? JSON.stringify(value) : text);
  const logs = live.logs(
    id,
    (lines) => {
      lastLineAt = Date.now();
      for (const line of lines) print({ type: "log", ...line }, logText(line));
    },
    options,
  );
  const states = live.run(
    id,
    ({ run, final }) => {
      if (run.status !== status) print({ type: "run", ...run }, stateText(run, false));
      status = run.status;
      if (final) resolve(run);
    },
    options,
  );
  try {
    const run = await promise;
    lastLineAt = Math.max(lastLineAt, Date.now());
    while (Date.now() - lastLineAt < LAST_LINES_MS) await new Promise((done) => setTimeout(done, 50));
    return run;
  } finally {
    logs.unsubscribe();
    states.unsubscribe();
  }
}

/**
 * Prints each change of the matching runs, until the process ends. @throws LiveError if they may not be read
 */
export function tailRuns(
  live: LiveClient,
  filter: Parameters<LiveClient["runs"]>[0]["filter"],
  json: boolean,
): Promise<never> {
  return new Promise((_, reject) => {
    let shown: Map<string, string> | null = null;
    live.runs(
      { filter, limit: 200 },
      ({ runs }) => {
        const known: Map<string, string> = shown ?? new Map(runs.map(({ id, status }) => [id, status]));
        for (const run of runs.toReversed()) {
          if (shown && known.get(run.id) !== run.status)
            console.log(json ? JSON.stringify(run) : stateText(run, true));
          known.set(run.id, run.status);
        }
        shown = new Map(runs.map(({ id }) => [id, known.get(id) ?? ""]));
      },
      { onError: reject },
    );
  });
}
