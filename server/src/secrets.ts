import { randomBytes } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { randomBase36 } from "@acme/sdk/contract";
import { z } from "zod";
import { ServerError } from "./errors.ts";
import { writePrivateJson } from "./private-file.ts";

const Secret = z.string().min(16);

export const ServerSecrets = z.object({
  /** What container hosts show to the Worker. */
  hostToken: Secret,
  adminToken: Secret,
  /** What a scraper of the server's metrics shows. */
  metricsToken: Secret.optional(),
  /** Signs the tokens and URLs that the Worker issues, unless `signingKeys` is set; then it only verifies them. */
  signingKey: Secret,
  /** To rotate the signing key: the value of the Worker's `SIGNING_KEYS`, such as `k2:SECRET`. */
  signingKeys: z.string().optional(),
  /** Seal environment variables: the value of the Worker's `ENCRYPTION_KEYS`. Without it those can't be opened. */
  encryptionKeys: z.string().optional(),
  /** API key of the production environment. */
  secretKey: Secret,
  /** API key of the development environment. */
  devSecretKey: Secret,
  /** Personal access token for the CLI. */
  accessToken: Secret,
});
export type ServerSecrets = z.infer<typeof ServerSecrets>;

const newEncryptionKey = (): string => `k1:${randomBytes(32).toString("base64url")}`;

const newToken = (): string => randomBytes(32).toString("base64url");

const generate = (): ServerSecrets => ({
  hostToken: newToken(),
  adminToken: newToken(),
  metricsToken: newToken(),
  signingKey: newToken(),
  encryptionKeys: newEncryptionKey(),
  secretKey: `tr_prod_sk_${randomBase36(24)}`,
  devSecretKey: `tr_dev_sk_${randomBase36(24)}`,
  accessToken: `tr_pat_${randomBase36(40)}`,
});

/**
 * The secrets of a data folder, generated when it has none yet.
 * @throws ServerError where the file can't be read as such: generating new ones would lock all clients out
 */
export function loadSecrets(path: string): ServerSecrets {
  if (!existsSync(path)) {
    const secrets = generate();
    writePrivateJson(path, secrets);
    return secrets;
  }
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(path, "utf8"));
  } catch {
    value = undefined;
  }
  const parsed = ServerSecrets.safeParse(value);
  if (parsed.success) return withLaterSecrets(path, parsed.data);
  throw new ServerError(
    `${path} is damaged: ${z.prettifyError(parsed.error)}\nPut a copy of it back; or delete it to have new keys made (clients then need the new ones).`,
  );
}

/** A folder that is older than variables, or than a token for metrics, gets a key for them, or the token. */
function withLaterSecrets(path: string, secrets: ServerSecrets): ServerSecrets {
  if (secrets.encryptionKeys && secrets.metricsToken) return secrets;
  const { encryptionKeys = newEncryptionKey(), metricsToken = newToken() } = secrets;
  const added = { ...secrets, encryptionKeys, metricsToken };
  writePrivateJson(path, added);
  return added;
}
