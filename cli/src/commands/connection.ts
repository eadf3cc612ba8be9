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
    .option("-e, --env <slug>", "environment, unless ACME_SECRET_KEY is the key of one", "prod")
    .option("--project-ref <ref>", "project, instead of the one of the configuration here")
    .option("-a, --api-url <url>", "server, instead of ACME_API_URL")
    .option("--json", "print JSON");
}

/** Adds the options of commands that call the API of a project, with an access token, for one of its environments. */
export const withProject = (command: Command): Command =>
  command
    .option("-e, --env <slug>", "environment", "prod")
    .option("-p, --project-ref <ref>", "project, instead of the one of the configuration here")
    .option("-a, --api-url <url>", "server, instead of ACME_API_URL")
    .option("--json", "print JSON");

/**
 * Configures the SDK for an environment, and returns it. It is loaded here, so that `--help` does not have to wait for it.
 * @throws CliError if the server's address, or a key or login, is missing
 */
export async function connect(options: EnvironmentOptions) {
  const [{ environmentAccess }, sdk] = await Promise.all([import("../access.ts"), import("@acme/sdk")]);
  const { apiUrl, token, kind } = environmentAccess({ apiUrl: options.apiUrl, environment: options.env });
  const access: ApiAccess = { apiUrl, token };
  if (kind === "accessToken") {
    const { ENVIRONMENT_HEADER } = await import("@acme/sdk/contract/api");
    access.environment = `${await projectRefOf(options.projectRef, ".")}/${options.env}`;
    const additionalHeaders = { [ENVIRONMENT_HEADER]: access.environment };
    sdk.configure({ baseURL: apiUrl, accessToken: token, requestOptions: { additionalHeaders } });
  } else {
    sdk.configure({ baseURL: apiUrl, accessToken: token });
  }
  return { ...sdk, access };
}

/** The live client for the environment of {@link connect}. */
export async function connectLive({ access: { apiUrl, token, environment } }: { access: ApiAccess }) {
  const { LiveClient } = await import("@acme/sdk/live");
  return new LiveClient({ baseURL: apiUrl, accessToken: token, environment });
}

export const printJson = (value: unknown): void => console.log(JSON.stringify(value, null, 2));
