import { spawn } from "node:child_process";
import { CliError } from "../errors.ts";
import type { PackageManager } from "./package-manager.ts";

/**
 * Installs the dependencies of the project's package.json. Its output goes to standard error. @throws
 * CliError if that fails
 */
export async function installPackages(manager: PackageManager, root: string): Promise<void> {
  const command = `${manager} install`;
  const ended = await new Promise<number | string>((resolve) => {
    const child = spawn(manager, ["install"], {
      cwd: root,
      stdio: ["ignore", 2, 2],
      shell: process.platform === "win32",
    });
    child.once("error", (error) => resolve(error.message));
    child.once("exit", (code, signal) => resolve(code ?? signal ?? "unknown"));
  });
  if (ended === 0) return;
  const how = typeof ended === "number" ? `ended with code ${ended}` : `failed (${ended})`;
  throw new CliError(`\`${command}\` ${how}. The files are written: run it again in ${root}.`);
}
