import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { z } from "zod";
import { CliError } from "./errors.ts";

const Local = z.object({
  apiUrl: z.string(),
  projectRef: z.string(),
  secretKey: z.string(),
  devSecretKey: z.string(),
  accessToken: z.string(),
});
type Local = z.infer<typeof Local>;

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** The one-machine server that was started from this folder or from the checkout, where there is one. */
function localServer(cwd: string): Local | undefined {
  const file = [join(cwd, ".acme/local.json"), join(ROOT, ".acme/local.json")].find((path) =>
    existsSync(path),
  );
  return file ? Local.safeParse(JSON.parse(readFileSync(file, "utf8"))).data : undefined;
}

type Environment = Record<string, string | undefined>;

const first = (env: Environment, names: string[]): string | undefined =>
  names.map((name) => env[name]?.trim()).find((value) => value);

function apiUrlOf(option: string | undefined, env: Environment, local: Local | undefined): string {
  const value = option ?? first(env, ["ACME_API_URL", "TRIGGER_API_URL"]) ?? local?.apiUrl;
  if (!value) {
    throw new CliError(
      "The server's address is missing: set ACME_API_URL (or --api-url), or start a server here with `npm start`.",
    );
  }
  if (!URL.canParse(value) || !/^https?:/.test(value)) {
    throw new CliError(
      `"${value}" is no address of a server: ACME_API_URL looks like http://127.0.0.1:8787.`,
    );
  }
  return value.replace(/\/+$/, "");
}

/**
 * Address and personal access token: of the environment variables, or else of the local server.
 * @throws CliError that says what to set
 */
export function projectAccess(
  apiUrl?: string,
  env: Environment = process.env,
): { apiUrl: string; accessToken: string } {
  const local = localServer(process.cwd());
  const url = apiUrlOf(apiUrl, env, local);
  // A local server's token is for that server only.
  const accessToken =
    first(env, ["ACME_ACCESS_TOKEN", "TRIGGER_ACCESS_TOKEN"]) ??
    (local?.apiUrl === url ? local.accessToken : undefined);
  if (!accessToken)
    throw new CliError(
      "The access token is missing: set ACME_ACCESS_TOKEN to a personal access token (tr_pat_…).",
    );
  return { apiUrl: url, accessToken };
}

/** Address and an environment's secret key, as `projectAccess`. `environment` chooses among the local server's keys. */
export function environmentAccess(
  options: { apiUrl?: string; environment: string },
  env: Environment = process.env,
): { apiUrl: string; secretKey: string } {
  const local = localServer(process.cwd());
  const apiUrl = apiUrlOf(options.apiUrl, env, local);
  const ofLocal = { prod: local?.secretKey, dev: local?.devSecretKey }[options.environment];
  const secretKey =
    first(env, ["ACME_SECRET_KEY", "TRIGGER_SECRET_KEY"]) ?? (local?.apiUrl === apiUrl ? ofLocal : undefined);
  if (!secretKey) {
    throw new CliError(
      "The environment's secret key is missing: set ACME_SECRET_KEY to its tr_prod_…, tr_stg_… or tr_dev_… key.",
    );
  }
  return { apiUrl, secretKey };
}
