import type { Command } from "commander";
import type { UpdateOptions } from "../init/update.ts";

export function addUpdateCommand(program: Command): void {
  program
    .command("update")
    .description("set the versions of @acme/* in a project's package.json to the CLI's")
    .argument("[dir]", "the project's folder", ".")
    .option("--to <version>", "version to set, instead of the CLI's")
    .option("--check", "change nothing; exit code 1 if a version differs")
    .option("--skip-install", "install no packages")
    .option("--json", "print JSON")
    .addHelpText(
      "after",
      `
The packages are released together, under one version.

Examples:
  $ npx @acme/cli@latest update
  $ acme update --check`,
    )
    .action(async (dir: string, options: UpdateOptions) => {
      const { update } = await import("../init/update.ts");
      await update(dir, options);
    });
}
