import type { RebuildResponse } from "@acme/sdk/contract/api";
import type { Command } from "commander";
import { CliError } from "../errors.ts";
import { AdminClient, type AdminOptions, withServer } from "./admin-client.ts";
import { printJson } from "./connection.ts";

const ASK_EVERY_MS = 1_000;

interface RebuildOptions extends AdminOptions {
  organization?: string;
  id?: string;
}

type Progress = Pick<RebuildResponse, "queues" | "done" | "runs">;

export function addRebuildCommand(group: Command): void {
  withServer(
    group
      .command("rebuild")
      .description("make the objects send all of their runs to the query side (D1, Postgres) again")
      .option("--organization <slug>", "only this organization")
      .option("--id <id>", "continue an earlier rebuild, or show its progress"),
  )
    .addHelpText(
      "after",
      "\nOnly rows that are missing or outdated change. The rebuild can be repeated, and continues when this command is stopped.\n\nExamples:\n  $ acme admin rebuild\n  $ acme admin rebuild --id rebuild-2026-11-27",
    )
    .action(async (options: RebuildOptions) => {
      const client = await AdminClient.open(options);
      const id = options.id ?? `rebuild-${Date.now().toString(36)}`;
      if (!options.json)
        console.log(
          `Rebuild ${id}: \`acme admin rebuild --id ${id}\` shows its progress and continues it if it was interrupted.`,
        );
      for (let shown = ""; ; ) {
        const progress = await round(client, id, options.organization);
        const line = `${progress.done} of ${progress.queues} queues done, ${progress.runs} runs sent`;
        if (line !== shown && !options.json) console.log(line);
        shown = line;
        if (progress.done === progress.queues) {
          if (options.json) printJson({ id, ...progress });
          return;
        }
        await new Promise((resolve) => setTimeout(resolve, ASK_EVERY_MS));
      }
    });
}

/** Requests every page of queues, so that queues that have not started yet start. */
async function round(client: AdminClient, id: string, organization: string | undefined): Promise<Progress> {
  const total = { queues: 0, done: 0, runs: 0 };
  for (let after: string | undefined; ; ) {
    const page = await client
      .call<RebuildResponse>("POST", "/rebuild", { id, organization, after })
      .catch((error: Error) => {
        throw new CliError(
          `${error.message}\nNothing is lost: continue with \`acme admin rebuild --id ${id}\`.`,
        );
      });
    total.queues += page.queues;
    total.done += page.done;
    total.runs += page.runs;
    if (page.next === undefined) return total;
    after = page.next;
  }
}
