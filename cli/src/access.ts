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

/**
 * Returns the access data of the server that was started in this folder or in the checkout, if there is one.
 */
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
      "The server's address is missing: set ACME_API_URL, pass --api-url, or start a server here with `acme server`.",
    );
  }
  if (!URL.canParse(value) || !/^https?:/.test(value)) {
    throw new CliError(
      `"${value}" is not the address of a server: it has to look like http://127.0.0.1:8787.`,
    );
  }
  return value.replace(/\/+$/, "");
}

interface Sources {
  /** From the command line. */
  apiUrl?: string;
  /** Environment variables. Default: those of this process. */
  env?: Environment;
  /** The folder in which a local server's `.acme` is looked for first. Default: the working directory. */
  cwd?: string;
}

/**
 * Reads the environment variables, or else the local server's file, whose secret is used for that server
 * only.
 */
function access(sources: Sources, names: string[], ofLocal: (local: Local) => string | undefined) {
  const env = sources.env ?? process.env;
  const local = localServer(sources.cwd ?? process.cwd());
  const apiUrl = apiUrlOf(sources.apiUrl, env, local);
  return { apiUrl, secret: first(env, names) ?? (local?.apiUrl === apiUrl ? ofLocal(local) : undefined) };
}

/** Returns the server's address and a personal access token. @throws CliError that says what to set */
export function projectAccess(sources: Sources = {}): { apiUrl: string; accessToken: string } {
  const { apiUrl, secret } = access(
    sources,
    ["ACME_ACCESS_TOKEN", "TRIGGER_ACCESS_TOKEN"],
    (local) => local.accessToken,
  );
  if (secret) return { apiUrl, accessToken: secret };
  throw new CliError(
    "The access token is missing: set ACME_ACCESS_TOKEN to a personal access token (tr_pat_…).",
  );
}

/**
 * Returns the server's address and the secret key of an environment. `environment` selects one of a local
 * server's keys.
 * @throws CliError that says what to set
 */
export function environmentAccess(sources: Sources & { environment: string }): {
  apiUrl: string;
  secretKey: string;
} {
  const { apiUrl, secret } = access(
    sources,
    ["ACME_SECRET_KEY", "TRIGGER_SECRET_KEY"],
    (local) => ({ prod: local.secretKey, dev: local.devSecretKey })[sources.environment],
  );
  if (secret) return { apiUrl, secretKey: secret };
  throw new CliError(
    "The environment's secret key is missing: set ACME_SECRET_KEY to its tr_prod_…, tr_stg_… or tr_dev_… key.",
  );
}
