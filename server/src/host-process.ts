import { join } from "node:path";
import type { Command } from "./die-with-parent.ts";
import type { Executor } from "./server.ts";

export const hostCommand = (root: string): Command => ({
  file: process.execPath,
  args: [join(root, "container-host/src/main.ts")],
});

export const hostEnvironment = (options: {
  apiUrl: string;
  hostToken: string;
  executor: Executor;
  dataDir: string;
}): NodeJS.ProcessEnv => ({
  ...process.env,
  ACME_API_URL: options.apiUrl,
  ACME_HOST_TOKEN: options.hostToken,
});
