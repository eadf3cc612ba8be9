import { closeSync, readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { HostError, messageOf } from "./errors.ts";
import { HOST_FLAGS, TOKEN_FILE_FLAG, variableOf } from "./flags.ts";
import { startHost } from "./host.ts";
import { stderrLog } from "./log.ts";
import { HostOptions } from "./options.ts";

const TOKEN_FILE_VARIABLE = "ACME_HOST_TOKEN_FILE";

const usage = (): string => {
  const lines = Object.entries(HOST_FLAGS).map(
    ([flag, { value, description }]) =>
      `  ${`--${flag} ${value}`.padEnd(28)} ${description} (${variableOf(flag)})`,
  );
  return `Usage: container-host [options]

${lines.join("\n")}

  ${`--${TOKEN_FILE_FLAG} FILE`.padEnd(28)} read the host token from this file (${TOKEN_FILE_VARIABLE}), not from ACME_HOST_TOKEN

ACME_API_URL is the server's address. The host token registers the host there, once; from then on the host shows a credential of
its own, which is kept in its data folder and can be revoked. Other processes of this user can read environment variables, so a
file that only this user can read, or /dev/fd/N, is the safer way to pass the host token.
`;
};

/** A descriptor is closed after it is read, so that no child process inherits it. @throws HostError */
function readSecret(path: string): string {
  try {
    const descriptor = /^\/dev\/fd\/(\d+)$/.exec(path)?.[1];
    if (!descriptor) return readFileSync(path, "utf8").trim();
    const text = readFileSync(Number(descriptor), "utf8").trim();
    closeSync(Number(descriptor));
    return text;
  } catch (error) {
    throw new HostError(`The host token can't be read from ${path}: ${messageOf(error)}`);
  }
}

/** @throws HostError that says what is wrong and how to set it */
function readOptions(argv: string[], env: NodeJS.ProcessEnv): HostOptions {
  const options = Object.fromEntries(
    [...Object.keys(HOST_FLAGS), TOKEN_FILE_FLAG].map((flag) => [flag, { type: "string" as const }]),
  );
  let values: Record<string, string | boolean | undefined>;
  try {
    ({ values } = parseArgs({ args: argv, options: { ...options, help: { type: "boolean", short: "h" } } }));
  } catch (error) {
    throw new HostError(`${error instanceof Error ? error.message : error}\n\n${usage()}`);
  }
  if (values.help) {
    process.stdout.write(usage());
    process.exit(0);
  }
  const tokenFile = values[TOKEN_FILE_FLAG] ?? (env[TOKEN_FILE_VARIABLE] || undefined);
  const raw: Record<string, unknown> = {
    apiUrl: env.ACME_API_URL,
    hostToken: typeof tokenFile === "string" ? readSecret(tokenFile) : env.ACME_HOST_TOKEN,
  };
  const names = new Map([
    ["apiUrl", "ACME_API_URL"],
    ["hostToken", typeof tokenFile === "string" ? `--${TOKEN_FILE_FLAG} ${tokenFile}` : "ACME_HOST_TOKEN"],
  ]);
  for (const [flag, { option }] of Object.entries(HOST_FLAGS)) {
    raw[option] = values[flag] ?? (env[variableOf(flag)] || undefined);
    names.set(option, `--${flag} (or ${variableOf(flag)})`);
  }
  if (raw.metricsPort === "off") raw.metricsPort = null;
  const parsed = HostOptions.safeParse(raw);
  if (parsed.success) return raw as HostOptions;
  const problems = parsed.error.issues.map(
    ({ path, message }) => `${names.get(String(path[0])) ?? path.join(".")}: ${message}`,
  );
  throw new HostError(`${problems.join("\n")}\n\n${usage()}`);
}

/**
 * Runs the container host as a program until a signal stops it. Prints one line of JSON on standard output
 * when it polls: `{"ready":true,"hostId","executor","metricsUrl","pid"}`; its log goes to standard error.
 * Exit codes: 0 after SIGTERM or SIGINT (a second one ends it at once: 130), 1 when it can't start.
 */
export async function runHost(argv: string[]): Promise<void> {
  try {
    await run(argv);
  } catch (error) {
    fail(error);
  }
}

async function run(argv: string[]): Promise<void> {
  const log = stderrLog();
  const options = readOptions(argv, process.env);
  // Deleted so that no child process inherits it.
  delete process.env.ACME_HOST_TOKEN;
  const host = await startHost(options, log);
  let asked = 0;
  const onSignal = (signal: NodeJS.Signals): void => {
    asked += 1;
    if (asked > 1) {
      log.warn(`${signal} again: ending at once`);
      process.exit(130);
    }
    host.stop().then(
      () => process.exit(0),
      (error: unknown) => fail(error),
    );
  };
  process.on("SIGTERM", onSignal);
  process.on("SIGINT", onSignal);
  void host.failed.then(async (error) => {
    await host.kill();
    fail(error);
  });
  await host.ready;
  const { hostId, executor, metricsUrl } = host;
  process.stdout.write(
    `${JSON.stringify({ ready: true, hostId, executor, metricsUrl, pid: process.pid })}\n`,
  );
}

function fail(error: unknown): never {
  const known = error instanceof HostError;
  process.stderr.write(`${known ? error.message : error instanceof Error ? error.stack : error}\n`);
  process.exit(1);
}
