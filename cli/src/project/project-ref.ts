import { CliError } from "../errors.ts";

/**
 * Returns the project to use: from the command line, from ACME_PROJECT_REF, or from the configuration in
 * `dir`.
 * @throws CliError that says how to give one
 */
export async function projectRefOf(option: string | undefined, dir: string): Promise<string> {
  const ref = option ?? process.env.ACME_PROJECT_REF;
  if (ref) return ref;
  const { findConfig, loadProject } = await import("./load-config.ts");
  if (findConfig(dir) === undefined) {
    throw new CliError(
      "The project is missing: pass --project-ref, set ACME_PROJECT_REF, or run this in a folder with an acme.config.ts.",
    );
  }
  return (await loadProject(dir)).config.project;
}
