import type { Command } from "commander";
import type { InitOptions } from "../init/init.ts";

export function addInitCommand(program: Command): void {
  program
    .command("init")
    .description("add Acme to a TypeScript project: a configuration, an example task, scripts")
    .argument("[dir]", "the project's folder", ".")
    .option("-p, --project-ref <ref>", "project, instead of the one of the local server or the login")
    .option("-a, --api-url <url>", "server, instead of ACME_API_URL")
    .option("-y, --yes", "ask nothing")
    .option("--skip-install", "install no packages")
    .option("--json", "print JSON")
    .addHelpText(
      "after",
      `
Nothing is overwritten, and running the command again changes nothing. Packages
are installed with the project's own npm, pnpm, yarn or bun.

Examples:
  $ acme init
  $ acme init ./jobs --yes
  $ acme init --project-ref proj_x8k2 --skip-install`,
    )
    .action(async (dir: string, options: InitOptions) => {
      const { init } = await import("../init/init.ts");
      await init(dir, options);
    });
}
