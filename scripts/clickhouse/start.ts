import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { installEngine } from "./install.ts";

export interface ClickhouseServer {
  url: string;
  pid: number;
  stop(): Promise<void>;
}

/**
 * Starts `main.ts` in a separate process, on a free port. Without `folder` it uses a new one, which `stop`
 * removes.
 */
export async function startClickhouse(
  options: { data?: string; port?: number } = {},
): Promise<ClickhouseServer> {
  await installEngine();
  const data = options.data ?? mkdtempSync(join(tmpdir(), "acme-clickhouse-"));
  const child = spawn(
    process.execPath,
    [join(import.meta.dirname, "main.ts"), "--port", String(options.port ?? 0), "--data", data],
    { stdio: ["ignore", "pipe", "pipe"] },
  );
  const lines: string[] = [];
  const url = await new Promise<string>((resolve, reject) => {
    for (const stream of [child.stdout, child.stderr])
      createInterface({ input: stream }).on("line", (line) => {
        lines.push(line);
        const found = /^ClickHouse is running at (\S+)$/.exec(line)?.[1];
        if (found) resolve(found);
      });
    child.once("exit", (code) => reject(new Error(`ClickHouse ended with ${code}:\n${lines.join("\n")}`)));
  });
  return {
    url,
    pid: child.pid as number,
    async stop() {
      if (child.exitCode === null && child.signalCode === null) {
        await new Promise<void>((resolve) => {
          const deadline = setTimeout(() => child.kill("SIGKILL"), 10_000);
          child.once("exit", () => {
            clearTimeout(deadline);
            resolve();
          });
          child.kill("SIGTERM");
        });
      }
      if (options.data === undefined) rmSync(data, { recursive: true, force: true });
    },
  };
}
