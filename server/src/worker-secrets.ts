import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { ServerSecrets } from "./secrets.ts";

/** The Worker's bindings with secrets. */
export const SECRET_BINDINGS = [
  "HOST_TOKEN",
  "ADMIN_TOKEN",
  "METRICS_TOKEN",
  "SIGNING_KEY",
  "SIGNING_KEYS",
  "ENCRYPTION_KEYS",
] as const;
type SecretBinding = (typeof SECRET_BINDINGS)[number];

/** Name of the folder, next to workerd's configuration. */
export const SECRETS_FOLDER = "secrets";

const valuesOf = (secrets: ServerSecrets): Record<SecretBinding, string> => ({
  HOST_TOKEN: secrets.hostToken,
  ADMIN_TOKEN: secrets.adminToken,
  METRICS_TOKEN: secrets.metricsToken ?? "",
  SIGNING_KEY: secrets.signingKey,
  SIGNING_KEYS: secrets.signingKeys ?? "",
  ENCRYPTION_KEYS: secrets.encryptionKeys ?? "",
});

/**
 * The Worker's secrets, and the settings of its operator, as files that workerd reads while it starts. They exist only
 * during that time: other processes of the same user can read a process's environment variables and arguments, so secrets
 * are passed in neither.
 */
export function workerSecretFiles(
  generated: string,
  secrets: ServerSecrets,
  settings: Record<string, string>,
) {
  const folder = join(generated, SECRETS_FOLDER);
  const remove = (): void => rmSync(folder, { recursive: true, force: true });
  return {
    write(): void {
      remove();
      mkdirSync(folder, { recursive: true, mode: 0o700 });
      for (const [name, value] of Object.entries({ ...settings, ...valuesOf(secrets) }))
        writeFileSync(join(folder, name), value, { mode: 0o600 });
    },
    remove,
  };
}
