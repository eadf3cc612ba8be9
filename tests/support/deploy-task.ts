import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildProject, deployProject, projectApi } from "@acme/cli";
import type { LocalAccess } from "@acme/server";

/**
 * Deploys a project with this one task file to production and makes it the current version. `config`:
 * additional settings in `acme.config.ts`.
 */
export async function deployTaskFile(
  server: LocalAccess,
  source: string,
  config: object = {},
): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "acme-project-"));
  try {
    mkdirSync(join(folder, "trigger"));
    const settings = JSON.stringify({ project: server.projectRef, ...config });
    writeFileSync(join(folder, "acme.config.ts"), `export default ${settings};`);
    writeFileSync(join(folder, "trigger/tasks.ts"), source);
    const built = await buildProject(folder);
    await deployProject(projectApi(server, server.projectRef, "prod"), built, true);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
