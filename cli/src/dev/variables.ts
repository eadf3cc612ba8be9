import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parseEnv } from "node:util";
import { withoutSecrets } from "../deploy.ts";
import { CliError } from "../errors.ts";

/** Files with variables, if they exist. Later files take precedence. */
export const ENV_FILES = [".env", ".env.development", ".env.local", ".env.development.local"];

export interface LocalVariables {
  variables: Record<string, string>;
  /** Names of the files that were read. */
  files: string[];
  /** Changes with the files' contents. */
  hash: string;
}

/**
 * Returns the variables of tasks on this machine: those of the shell, overridden by those of the `.env`
 * files. The variables of the development environment, which the server keeps, take precedence over both.
 * @throws CliError when `only` does not exist
 */
export function readVariables(
  root: string,
  only: string[] | undefined,
  shell: NodeJS.ProcessEnv = process.env,
): LocalVariables {
  const missing = only?.find((name) => !existsSync(join(root, name)));
  if (missing) throw new CliError(`--env-file ${missing}: there is no such file in ${root}.`);
  const files = only ?? ENV_FILES.filter((name) => existsSync(join(root, name)));
  const texts = files.map((name) => readFileSync(join(root, name), "utf8"));
  const ofFiles: Record<string, string> = {};
  for (const text of texts) {
    for (const [name, value] of Object.entries(parseEnv(text)))
      if (value !== undefined) ofFiles[name] = value;
  }
  const hash = createHash("sha256").update(JSON.stringify(ofFiles)).digest("hex").slice(0, 16);
  return { variables: { NODE_ENV: "development", ...withoutSecrets(shell), ...ofFiles }, files, hash };
}
