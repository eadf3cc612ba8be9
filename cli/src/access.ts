import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { z } from "zod";
import { CliError } from "./errors.ts";
import { type Profile, profileInUse, readProfiles } from "./profiles.ts";
import { runningServer } from "./running-server.ts";

const Local = z.object({
  apiUrl: z.string(),
  projectRef: z.string(),
  secretKey: z.string(),
  devSecretKey: z.string(),
  accessToken: z.string(),
});
type Local = z.infer<typeof Local>;

/** The folder of the checkout; undefined in the published package. */
const CHECKOUT = import.meta.url.endsWith(".ts")
  ? fileURLToPath(new URL("../..", import.meta.url))
  : undefined;

function readLocal(file: string | undefined): Local | undefined {
  return file && existsSync(file) ? Local.safeParse(JSON.parse(readFileSync(file, "utf8"))).data : undefined;
}

/** The access data of the server that was started in this folder or in the checkout, if there is one. */
const serverHere = (cwd: string): Local | undefined =>
  readLocal(
    [cwd, ...(CHECKOUT === undefined ? [] : [CHECKOUT])]
      .map((folder) => join(folder, ".acme/local.json"))
      .find((path) => existsSync(path)),
  );

/** The access data of the server that was started in this folder; otherwise of the one that runs on this machine. */
export const localServer = (cwd: string, env: Environment = process.env): Local | undefined =>
  serverHere(cwd) ?? readLocal(runningServer(env));

type Environment = Record<string, string | undefined>;

const first = (env: Environment, names: string[]): string | undefined =>
  names.map((name) => env[name]?.trim()).find((value) => value);

/** The branch of the development environment that the variables name: Trigger.dev's command calls the environment itself "default". */
export function devBranch(env: Environment = process.env): string | undefined {
  const named = first(env, ["ACME_DEV_BRANCH", "TRIGGER_DEV_BRANCH"]);
  return named === "default" ? undefined : named;
}

interface Sources {
  /** From the command line. */
  apiUrl?: string;
  /** Environment variables. Default: those of this process. */
  env?: Environment;
  /** The folder in which a local server's `.acme` is looked for first. Default: the working directory. */
  cwd?: string;
}

/** The sources that determine the server and the credentials. */
interface Found {
  apiUrl: string;
  env: Environment;
  /** The server that was started here, or runs on this machine, if it is the chosen one. */
  local: Local | undefined;
  /** The login in use, if it belongs to the chosen server. */
  profile: Profile | undefined;
}

/**
 * Finds the server: from the command line or the environment; otherwise from the profile that ACME_PROFILE
 * names, from the server that was started here, from the current profile, or from the server that runs on this machine. Stored
 * credentials are sent only to the server that they belong to.
 */
function find(sources: Sources): Found {
  const env = sources.env ?? process.env;
  const here = serverHere(sources.cwd ?? process.cwd());
  const running = readLocal(runningServer(env));
  const named = first(env, ["ACME_PROFILE"]);
  const used = profileInUse(readProfiles(env), named)?.profile;
  const value =
    sources.apiUrl ??
    first(env, ["ACME_API_URL", "TRIGGER_API_URL"]) ??
    (named ? used?.apiUrl : undefined) ??
    here?.apiUrl ??
    used?.apiUrl ??
    running?.apiUrl;
  if (!value) {
    throw new CliError(
      "The server's address is missing: log in with `acme login --api-url URL`, set ACME_API_URL, or start a server with `acme up`.",
    );
  }
  const apiUrl = serverAddress(value);
  const local = [here, running].find((server) => server?.apiUrl === apiUrl);
  return {
    apiUrl,
    env,
    local: named && used?.apiUrl === apiUrl ? undefined : local,
    profile: used?.apiUrl === apiUrl ? used : undefined,
  };
}

/** @throws CliError if it is not the address of a server */
export function serverAddress(value: string): string {
  if (!URL.canParse(value) || !/^https?:/.test(value)) {
    throw new CliError(
      `"${value}" is not the address of a server: it has to look like http://127.0.0.1:8787.`,
    );
  }
  return value.replace(/\/+$/, "");
}

const accessTokenOf = ({ env, local, profile }: Found): string | undefined =>
  first(env, ["ACME_ACCESS_TOKEN", "TRIGGER_ACCESS_TOKEN"]) ?? local?.accessToken ?? profile?.accessToken;

/** Returns the server to log in to. @throws CliError that says how to name one */
export const loginServer = (sources: Sources = {}): string => find(sources).apiUrl;

/** Returns the server's address and an access token. @throws CliError that says what to do */
export function projectAccess(sources: Sources = {}): { apiUrl: string; accessToken: string } {
  const found = find(sources);
  const accessToken = accessTokenOf(found);
  if (accessToken) return { apiUrl: found.apiUrl, accessToken };
  throw new CliError(
    `You are not logged in at ${found.apiUrl}: run \`acme login\`, or set ACME_ACCESS_TOKEN to a personal access token (tr_pat_…).`,
  );
}

/**
 * Returns the server's address and the credential for an environment: its secret key, or an access token
 * together with the name of the environment. `environment` selects one of a local server's keys.
 * @throws CliError that says what to do
 */
export function environmentAccess(sources: Sources & { environment: string; branch?: string }): {
  apiUrl: string;
  token: string;
  kind: "secretKey" | "accessToken";
} {
  const found = find(sources);
  const { apiUrl, env, local } = found;
  // A branch of `dev` is one of the person's own environment, and a local server's key is of the shared one.
  const isBranch = (sources.branch ?? devBranch(env)) !== undefined;
  const secretKey =
    first(env, ["ACME_SECRET_KEY", "TRIGGER_SECRET_KEY"]) ??
    { prod: local?.secretKey, dev: isBranch ? undefined : local?.devSecretKey }[sources.environment];
  if (secretKey) return { apiUrl, token: secretKey, kind: "secretKey" };
  const token = accessTokenOf(found);
  if (token) return { apiUrl, token, kind: "accessToken" };
  throw new CliError(
    `You are not logged in at ${apiUrl}: run \`acme login\`, or set ACME_SECRET_KEY to the environment's tr_prod_…, tr_stg_… or tr_dev_… key.`,
  );
}
