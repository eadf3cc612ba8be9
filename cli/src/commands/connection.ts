import type { Command } from "commander";

export interface EnvironmentOptions {
  env: string;
  apiUrl?: string;
  json?: boolean;
}

/** Adds the options of commands that call the API with an environment's secret key. */
export function withEnvironment(command: Command): Command {
  return command
    .option(
      "-e, --env <slug>",
      "whose key of a local server to use, without ACME_SECRET_KEY: prod or dev",
      "prod",
    )
    .option("-a, --api-url <url>", "server, instead of ACME_API_URL")
    .option("--json", "print JSON");
}

/**
 * Configures the SDK for an environment, and returns it. It is loaded here, so that `--help` does not have to wait for it.
 * @throws CliError if the server's address or the key is missing
 */
export async function connect(options: EnvironmentOptions) {
  const [{ environmentAccess }, sdk] = await Promise.all([import("../access.ts"), import("@acme/sdk")]);
  const { apiUrl, secretKey } = environmentAccess({ apiUrl: options.apiUrl, environment: options.env });
  sdk.configure({ baseURL: apiUrl, accessToken: secretKey });
  return { ...sdk, apiUrl, secretKey };
}

/** The live client for the environment of {@link connect}. */
export async function connectLive({ apiUrl, secretKey }: { apiUrl: string; secretKey: string }) {
  const { LiveClient } = await import("@acme/sdk/live");
  return new LiveClient({ baseURL: apiUrl, accessToken: secretKey });
}

export const printJson = (value: unknown): void => console.log(JSON.stringify(value, null, 2));
