import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { LocalAccess } from "@acme/server";
import { HttpClient } from "../http-client.ts";
import { endProcess, startProcess } from "./process.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** Acme's one-machine server, running as a process of its own. */
export interface AcmeServer {
  access: LocalAccess;
  /** The checkout whose server it is. */
  root: string;
  /** With the secret key of production. */
  http: HttpClient;
  /** Process ids of the parts that are running now. */
  pids(): { worker: number; host: number };
  stop(): Promise<void>;
}

/**
 * `folder`: its data, which is kept. `env`: additional variables, which its container host sees too. `root`:
 * the checkout whose server is started; default: this one.
 */
export async function startAcmeServer(
  folder: string,
  options: { executor?: "process" | "docker"; env?: Record<string, string>; root?: string } = {},
): Promise<AcmeServer> {
  mkdirSync(folder, { recursive: true });
  const { root = ROOT } = options;
  const server = await startProcess(
    process.execPath,
    [join(root, "bench/systems/acme-server.ts"), folder, options.executor ?? "process"],
    { cwd: root, env: options.env, ready: /^ready at (.*)/ },
  );
  const access = JSON.parse(readFileSync(server.match[1] as string, "utf8")) as LocalAccess;
  const http = new HttpClient(access.apiUrl, { authorization: `Bearer ${access.secretKey}` });
  return {
    access,
    root,
    http,
    pids: () => JSON.parse(readFileSync(join(folder, "pids.json"), "utf8")),
    async stop() {
      await http.close();
      await endProcess(server.child, "SIGTERM");
    },
  };
}

/** Deploys a folder of the server's checkout to production with the CLI of that version, as a user does. */
export function deployProject({ access, root }: AcmeServer, project: string): void {
  const cli = spawnSync(
    process.execPath,
    [join(root, "cli/src/main.ts"), "deploy", join(root, project), "--env", "prod"],
    {
      cwd: root,
      env: { ...process.env, ACME_API_URL: access.apiUrl, ACME_ACCESS_TOKEN: access.accessToken },
      encoding: "utf8",
    },
  );
  if (cli.status !== 0) throw new Error(`${project} could not be deployed:\n${cli.stdout}${cli.stderr}`);
}
