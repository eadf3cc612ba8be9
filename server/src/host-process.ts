import type { Command } from "@acme/container-host/die-with-parent";
import { z } from "zod";
import { SECRET_FD } from "./part.ts";
import { platform } from "./platform.ts";

/** Starts the container host: see container-host/src/main.ts. */
export const hostCommand = (options: { dataDir: string; executor: string }): Command => ({
  file: process.execPath,
  args: [
    ...["--disable-warning=ExperimentalWarning", platform.host],
    ...["--data", options.dataDir, "--executor", options.executor],
  ],
});

/**
 * The host gets the Worker's address here, its token by a descriptor, and where metrics are pushed, with what the collector asks for. It
 * gets no other secret of the server.
 */
export function hostEnvironment(
  inherited: NodeJS.ProcessEnv,
  apiUrl: string,
  settings: Record<string, string>,
): NodeJS.ProcessEnv {
  const { ACME_HOST_TOKEN: _, ...rest } = inherited;
  const forBoth = Object.entries(settings).filter(
    ([name]) => name.startsWith("OTEL_") || name === "LOG_LEVEL",
  );
  // The server decides how lines are shown.
  return {
    ...rest,
    ...Object.fromEntries(forBoth),
    LOG_FORMAT: "json",
    ACME_API_URL: apiUrl,
    ACME_HOST_TOKEN_FILE: `/dev/fd/${SECRET_FD}`,
  };
}

const Ready = z.object({ ready: z.literal(true), executor: z.string(), metricsUrl: z.string().nullish() });
type Ready = z.infer<typeof Ready>;

/** Parses the line that the host prints once it takes runs; null for every other line. */
export function readyLine(line: string): Ready | null {
  if (!line.startsWith("{")) return null;
  try {
    return Ready.safeParse(JSON.parse(line)).data ?? null;
  } catch {
    return null;
  }
}
