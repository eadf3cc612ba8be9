import { randomBytes } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { randomBase36 } from "@acme/sdk/contract";
import { z } from "zod";
import { ServerError } from "./errors.ts";
import { writePrivateJson } from "./private-file.ts";

const Secret = z.string().min(16);

export const ServerSecrets = z.object({
  /** The token with which container hosts register with the Worker. */
  hostToken: Secret,
  adminToken: Secret,
  /** What a scraper of the server's metrics shows. */
  metricsToken: Secret.optional(),
  /** Signs the tokens and URLs that the Worker issues, unless `signingKeys` is set; then it only verifies them. */
  signingKey: Secret,
  /** To rotate the signing key: the value of the Worker's `SIGNING_KEYS`, such as `k2:SECRET`. */
  signingKeys: z.string().optional(),
  /**
   * The value of the Worker's `ENCRYPTION_KEYS`, which encrypts environment variables. Without it, they can't
   * be decrypted.
   */
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
 * Returns the secrets of a data folder, generating them if it has none yet.
 * @throws ServerError if the file is invalid, because generating new secrets would lock all clients out
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
