import { join } from "node:path";
import type { Command } from "@acme/container-host/die-with-parent";
import { z } from "zod";

/** How the container host is started: see container-host/src/main.ts. */
export const hostCommand = (root: string, options: { dataDir: string; executor: string }): Command => ({
  file: process.execPath,
  args: [
    ...["--disable-warning=ExperimentalWarning", join(root, "container-host/src/main.ts")],
    ...["--data", options.dataDir, "--executor", options.executor],
  ],
});

/** The host is told where the Worker is and its token; of the server's secrets it gets no other. */
export const hostEnvironment = (
  inherited: NodeJS.ProcessEnv,
  access: { apiUrl: string; hostToken: string },
): NodeJS.ProcessEnv => ({ ...inherited, ACME_API_URL: access.apiUrl, ACME_HOST_TOKEN: access.hostToken });

const Ready = z.object({ ready: z.literal(true), executor: z.string() });

/** What the host says once it takes runs; null for every other line of its output. */
export function readyLine(line: string): { executor: string } | null {
  if (!line.startsWith("{")) return null;
  try {
    return Ready.safeParse(JSON.parse(line)).data ?? null;
  } catch {
    return null;
  }
}
