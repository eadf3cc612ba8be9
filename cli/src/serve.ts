import { messageOf, type RunningServer, startServer } from "@acme/server";
import { runExample } from "./example.ts";
import { aborted, interruption } from "./interruption.ts";

export interface ServeOptions {
  port: number;
  host: string;
  data: string;
  executor: "docker" | "process" | "auto";
  example?: boolean;
  once?: boolean;
}

/** Resolves with the exit code, after everything has stopped. */
export async function serve(options: ServeOptions): Promise<number> {
  const signal = interruption();
  const server = await startServer({
    dataDir: options.data,
    port: options.port,
    host: options.host,
    executor: options.executor,
    signal,
    log: (line) => console.error(line),
  }).catch((error: unknown) => {
    if (!signal.aborted) throw error;
    return null;
  });
  if (!server) return 130;
  try {
    if (options.example || options.once) {
      const problem = await exampleProblem(server, signal);
      if (problem !== null && options.once) return signal.aborted ? 130 : 1;
    }
    if (options.once) return 0;
    console.log(
      `\nAcme is running at ${server.apiUrl}; keys and addresses are in ${server.localFile}. Press Ctrl-C to stop it; the data is kept.`,
    );
    if (server.signInLink) {
      console.log(
        `Sign in, once and within a day (\`acme server sign-in-link\` prints another link):\n  ${server.signInLink}`,
      );
    }
    await aborted(signal);
    console.log("Stopping: the container host first, then the Worker…");
    return 0;
  } finally {
    await server.stop();
  }
}

/**
 * Returns why the example failed, or null. The server keeps running then, unless `--once` asks only for the
 * example.
 */
async function exampleProblem(server: RunningServer, signal: AbortSignal): Promise<string | null> {
  try {
    await runExample(server, signal);
    return null;
  } catch (error) {
    const problem = messageOf(error);
    if (!signal.aborted) console.error(`The example failed: ${problem}`);
    return problem;
  }
}
