import { chmodSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { z } from "zod";
import { CliError } from "./errors.ts";

/** One login: a server and its access token. */
export const Profile = z.object({
  apiUrl: z.string(),
  accessToken: z.string(),
  /** Null: the token belongs to an organization itself. */
  email: z.string().nullable(),
  /** Slug. */
  organization: z.string(),
  /**
   * `login`: the token was created for this profile, and is revoked with it. `token`: the user provided it.
   */
  source: z.enum(["login", "token"]),
});
export type Profile = z.infer<typeof Profile>;

const Profiles = z.object({ current: z.string().nullable(), profiles: z.record(z.string(), Profile) });
export type Profiles = z.infer<typeof Profiles>;

type Environment = Record<string, string | undefined>;

/** Returns the folder of what the CLI keeps for the user. */
export const configFolder = (env: Environment = process.env): string =>
  env.ACME_CONFIG_DIR ?? join(env.XDG_CONFIG_HOME || join(homedir(), ".config"), "acme");

/** Returns the path of the user's logins, a file that only the user can read. */
export const profilesFile = (env: Environment = process.env): string =>
  join(configFolder(env), "profiles.json");

/** @throws CliError if the file is damaged */
export function readProfiles(env?: Environment): Profiles {
  const file = profilesFile(env);
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return { current: null, profiles: {} };
    throw new CliError(`${file} could not be read: ${(error as Error).message}`);
  }
  try {
    return Profiles.parse(JSON.parse(text));
  } catch {
    throw new CliError(`${file} is damaged. Delete it and log in again with \`acme login\`.`);
  }
}

/** Replaces the file atomically: a killed process leaves the former one. */
export function writeProfiles(profiles: Profiles, env?: Environment): void {
  const file = profilesFile(env);
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  const temporary = `${file}.${process.pid}`;
  try {
    writeFileSync(temporary, `${JSON.stringify(profiles, null, 2)}\n`, { mode: 0o600 });
    // A leftover file of that name would keep its own mode.
    chmodSync(temporary, 0o600);
    renameSync(temporary, file);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw new CliError(`${file} could not be written: ${(error as Error).message}`);
  }
}

/**
 * Returns the profile in use: `name`, that of ACME_PROFILE, or the current one. @throws CliError if the named
 * one does not exist
 */
export function profileInUse(
  { current, profiles }: Profiles,
  name: string | undefined,
): { name: string; profile: Profile } | undefined {
  const wanted = name ?? current;
  const profile = wanted === null ? undefined : profiles[wanted];
  if (wanted !== null && profile) return { name: wanted, profile };
  if (name === undefined) return undefined;
  const known = Object.keys(profiles);
  throw new CliError(
    `There is no profile "${name}". ${known.length > 0 ? `Profiles: ${known.join(", ")}.` : "Log in with `acme login`."}`,
  );
}
