import type { Command } from "commander";
import type { ApiAccess } from "../api/call.ts";
import { projectRefOf } from "../project/project-ref.ts";

export interface EnvironmentOptions {
  env: string;
  projectRef?: string;
  apiUrl?: string;
  json?: boolean;
}

/** Adds the options of commands that call the API for an environment. */
export function withEnvironment(command: Command): Command {
  return command
    .option("-e, --env <slug>", "environment, if ACME_SECRET_KEY is not set; dev is your own", "prod")
    .option("--project-ref <ref>", "project, instead of the configuration's")
    .option("-a, --api-url <url>", "server, instead of ACME_API_URL")
    .option("--json", "print JSON");
}

/** Adds the options of commands that call the API of a project, with an access token, for one of its environments. */
export const withProject = (command: Command): Command =>
  command
    .option("-e, --env <slug>", "environment; dev is your own", "prod")
    .option("-p, --project-ref <ref>", "project, instead of the configuration's")
    .option("-a, --api-url <url>", "server, instead of ACME_API_URL")
    .option("--json", "print JSON");

/**
 * Configures the SDK for an environment, and returns it. It is loaded here, so that `--help` does not have to wait for it.
 * @throws CliError if the server's address, or a key or login, is missing
 */
export async function connect(options: EnvironmentOptions) {
  const [{ namedAccess }, sdk] = await Promise.all([import("../dev/access.ts"), import("@acme/sdk")]);
  const access = await namedAccess(options.env, {
    apiUrl: options.apiUrl,
    project: () => projectRefOf(options.projectRef, "."),
  });
  const { apiUrl: baseURL, token: accessToken, environment } = access;
  if (environment === undefined) {
    sdk.configure({ baseURL, accessToken });
  } else {
    const { ENVIRONMENT_HEADER } = await import("@acme/sdk/contract/api");
    const additionalHeaders = { [ENVIRONMENT_HEADER]: environment };
    sdk.configure({ baseURL, accessToken, requestOptions: { additionalHeaders } });
  }
  return { ...sdk, access };
}

/**
 * Returns the server, an access token and the environment, for commands whose API path names the environment.
 * @throws CliError if the server's address, a login or the project is missing
 */
export async function connectProject({ apiUrl, env, projectRef }: EnvironmentOptions) {
  const { namedProjectAccess } = await import("../dev/access.ts");
  return namedProjectAccess(env, { apiUrl, project: () => projectRefOf(projectRef, ".") });
}

/** Returns the live client for the environment of {@link connect}. */
export async function connectLive({ access: { apiUrl, token, environment } }: { access: ApiAccess }) {
  const { LiveClient } = await import("@acme/sdk/live");
  return new LiveClient({ baseURL: apiUrl, accessToken: token, environment });
}

export const printJson = (value: unknown): void => console.log(JSON.stringify(value, null, 2));
