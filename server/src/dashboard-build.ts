import { spawn } from "node:child_process";
import { join } from "node:path";
import { ServerError } from "./errors.ts";

/**
 * Builds the dashboard if its sources changed since it was last built. Returns the folder with its files.
 * @throws ServerError with the compiler's messages
 */
export async function buildDashboard(root: string, log: (line: string) => void): Promise<string> {
  const child = spawn(process.execPath, [join(root, "dashboard/build.mjs")], {
    cwd: root,
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  let failure = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    output += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    failure += text;
  });
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", resolve);
  });
  if (code !== 0) throw new ServerError(failure.trim() || `The dashboard's build ended with code ${code}`);
  for (const line of output.split("\n")) if (line) log(line);
  return join(root, "dashboard/build");
}
