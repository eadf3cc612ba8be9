import type { DeploymentBody } from "@acme/sdk/contract/api";
import type { Command } from "commander";
import { CliError } from "../errors.ts";
import { projectRefOf } from "../project/project-ref.ts";
import { printJson, withProject } from "./connection.ts";

interface RollbackOptions {
  env: string;
  projectRef?: string;
  apiUrl?: string;
  json?: boolean;
}

export function addRollbackCommand(program: Command): void {
  withProject(
    program
      .command("rollback")
      .description("make the previous version, or an earlier one, current again")
      .argument("[version]", "like 20261124.1; default: the previous current version"),
  )
    .addHelpText(
      "after",
      `
Runs that have begun finish on their version; new ones start on this one.

Examples:
  $ acme rollback
  $ acme rollback 20261124.1 --env staging`,
    )
    .action(rollback);
}

/** Returns the previous current version: the last one that was promoted before the current one. */
export function versionBefore(deployments: DeploymentBody[]): DeploymentBody | undefined {
  const current = deployments.find(({ promoted }) => promoted);
  const at = current?.promotedAt;
  if (at === undefined) return undefined;
  return deployments
    .filter(({ promoted, promotedAt }) => !promoted && promotedAt !== undefined && promotedAt <= at)
    .sort((a, b) => ((a.promotedAt ?? "") < (b.promotedAt ?? "") ? 1 : -1))[0];
}

async function rollback(version: string | undefined, options: RollbackOptions): Promise<void> {
  const [{ projectAccess }, { projectApi }] = await Promise.all([
    import("../access.ts"),
    import("../api/project-api.ts"),
  ]);
  const ref = await projectRefOf(options.projectRef, ".");
  const api = projectApi(projectAccess({ apiUrl: options.apiUrl }), ref, options.env);
  const deployments = await api.deployments();
  const before = deployments.find(({ promoted }) => promoted);
  const target = version ?? versionBefore(deployments)?.version;
  if (target === undefined) {
    throw new CliError(
      before
        ? `No version was current in ${options.env} before ${before.version}. Name one: acme rollback VERSION.`
        : `Nothing is deployed to ${options.env} yet.`,
    );
  }
  if (target === before?.version) throw new CliError(`Version ${target} is already the current one.`);
  const made = await api.promote(target);
  if (options.json) printJson({ from: before?.version, ...made });
  else
    console.log(
      `${options.env} is back on version ${made.version}${before ? `; it was ${before.version}` : ""}. Runs that have begun finish on their version.`,
    );
}
