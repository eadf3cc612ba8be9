import { existsSync, readFileSync } from "node:fs";
import { z } from "zod";
import { createSignInLink, type SignInLink } from "./api.ts";
import { openDataDir } from "./data-dir.ts";
import { ServerError } from "./errors.ts";
import { loadSecrets } from "./secrets.ts";
import { DEFAULT_ORGANIZATION, OWNER } from "./server.ts";

const Local = z.object({ apiUrl: z.string() });

/**
 * Creates a link that signs a person in to the server of a data folder, which has to be running.
 * @param email default: the server's owner. A new person becomes an owner of the default organization
 * @throws ServerError if no server is running
 */
export async function signInLinkOf(dataDir: string, email: string = OWNER.email): Promise<SignInLink> {
  if (!existsSync(dataDir)) throw notRunning(dataDir);
  const dir = openDataDir(dataDir);
  if (!existsSync(dir.localFile) || !existsSync(dir.secretsFile)) throw notRunning(dataDir);
  const { apiUrl } = Local.parse(JSON.parse(readFileSync(dir.localFile, "utf8")));
  const { adminToken } = loadSecrets(dir.secretsFile);
  try {
    return await createSignInLink(apiUrl, adminToken, { email, organization: DEFAULT_ORGANIZATION.slug });
  } catch (error) {
    if (error instanceof TypeError) throw notRunning(dataDir);
    throw error;
  }
}

const notRunning = (dataDir: string): ServerError =>
  new ServerError(
    `No server of the folder ${dataDir} is running. Start it with \`npm start\` or \`acme up\`, or name its folder with --data DIR.`,
  );
