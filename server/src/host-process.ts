import type { Command } from "@acme/container-host/die-with-parent";
import { z } from "zod";
import { SECRET_FD } from "./part.ts";
import { platform } from "./platform.ts";

/** How the container host is started: see container-host/src/main.ts. */
export const hostCommand = (options: { dataDir: string; executor: string }): Command => ({
  file: process.execPath,
  args: [
    ...["--disable-warning=ExperimentalWarning", platform.host],
    ...["--data", options.dataDir, "--executor", options.executor],
  ],
});

/** The host gets the Worker's address here, and its token by a descriptor. It gets no other secret of the server. */
export function hostEnvironment(inherited: NodeJS.ProcessEnv, apiUrl: string): NodeJS.ProcessEnv {
  const { ACME_HOST_TOKEN: _, ...rest } = inherited;
  return { ...rest, ACME_API_URL: apiUrl, ACME_HOST_TOKEN_FILE: `/dev/fd/${SECRET_FD}` };
}

const Ready = z.object({ ready: z.literal(true), executor: z.string() });

/** Parses the line that the host prints once it takes runs; null for every other line. */
export function readyLine(line: string): { executor: string } | null {
  if (!line.startsWith("{")) return null;
  try {
    return Ready.safeParse(JSON.parse(line)).data ?? null;
  } catch {
    return null;
  }
}
