import { spawn } from "node:child_process";
import { readFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { z } from "zod";

/** The credentials that the Engine sends to a registry. */
export interface RegistryAuth {
  username?: string;
  password?: string;
  identitytoken?: string;
  serveraddress: string;
}

const DOCKER_HUB = "https://index.docker.io/v1/";
const HELPER_MS = 10_000;

/** The parts of Docker's `config.json` with credentials for registries. */
const DockerConfig = z.object({
  auths: z
    .record(z.string(), z.object({ auth: z.string().optional(), identitytoken: z.string().optional() }))
    .optional(),
  credsStore: z.string().optional(),
  credHelpers: z.record(z.string(), z.string()).optional(),
});
type DockerConfig = z.infer<typeof DockerConfig>;

const HelperAnswer = z.object({ Username: z.string(), Secret: z.string() });

/**
 * Returns the registry's host in the name of a repository or image: `localhost:5000` for
 * `localhost:5000/a/b`.
 */
function registryOf(name: string): string {
  const [first = "", ...rest] = name.split("/");
  const isHost = rest.length > 0 && /[.:]|^localhost$/.test(first);
  return isHost ? first : "docker.io";
}

/**
 * Returns what `docker login` has stored for the registry of an image, in the folder named by DOCKER_CONFIG
 * or in `~/.docker`; undefined if nothing is stored, so that the registry is used without credentials.
 * @throws Error if the file, or the credential helper that it names, can't be used
 */
export async function registryAuth(image: string): Promise<RegistryAuth | undefined> {
  const registry = registryOf(image);
  const names =
    registry === "docker.io" ? [DOCKER_HUB, "docker.io", "index.docker.io"] : addressesOf(registry);
  const config = await readConfig();
  for (const serveraddress of names) {
    const helper = config.credHelpers?.[serveraddress] ?? config.credsStore;
    const helped = helper && (await askHelper(helper, serveraddress));
    if (helped) return helped;
    const stored = config.auths?.[serveraddress];
    if (stored?.identitytoken) return { identitytoken: stored.identitytoken, serveraddress };
    if (!stored?.auth) continue;
    const text = Buffer.from(stored.auth, "base64").toString("utf8");
    const colon = text.indexOf(":");
    if (colon > 0) return { username: text.slice(0, colon), password: text.slice(colon + 1), serveraddress };
  }
  return undefined;
}

const addressesOf = (registry: string): string[] => [
  registry,
  `https://${registry}`,
  `https://${registry}/`,
  `http://${registry}`,
];

async function readConfig(): Promise<DockerConfig> {
  const file = join(process.env.DOCKER_CONFIG ?? join(homedir(), ".docker"), "config.json");
  const text = await readFile(file, "utf8").catch(() => null);
  if (text === null) return {};
  try {
    return DockerConfig.parse(JSON.parse(text));
  } catch (error) {
    throw new Error(`${file} can't be read: ${error instanceof Error ? error.message : error}`);
  }
}

/** Calls `docker-credential-NAME`. Returns undefined if it does not know the registry. */
function askHelper(name: string, serveraddress: string): Promise<RegistryAuth | undefined> {
  return new Promise((resolve, reject) => {
    const program = `docker-credential-${name}`;
    const child = spawn(program, ["get"], { stdio: ["pipe", "pipe", "ignore"], timeout: HELPER_MS });
    let output = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      output += text;
    });
    child.on("error", (error) => reject(new Error(`${program} can't be started: ${error.message}`)));
    child.on("close", (code) => {
      if (code !== 0) return resolve(undefined);
      const parsed = HelperAnswer.safeParse(JSON.parse(output));
      if (!parsed.success)
        return reject(
          new Error(`${program} answered in a format that is not the one of Docker's credential helpers`),
        );
      const { Secret, Username } = parsed.data;
      resolve(
        Username === "<token>"
          ? { identitytoken: Secret, serveraddress }
          : { username: Username, password: Secret, serveraddress },
      );
    });
    child.stdin.on("error", () => {});
    child.stdin.end(serveraddress);
  });
}
