import type { ProjectEnvironment } from "@acme/sdk/contract/api";
import { type Command, Option } from "commander";
import type { BranchParent } from "../api/branches-api.ts";
import { projectRefOf } from "../project/project-ref.ts";
import { relativeTime } from "../terminal/format.ts";
import { isInteractive, style, terminalWidth } from "../terminal/style.ts";
import { table } from "../terminal/table.ts";
import { printJson } from "./connection.ts";

interface BranchOptions {
  env: BranchParent;
  projectRef?: string;
  apiUrl?: string;
  json?: boolean;
}

const withParent = (command: Command): Command =>
  command
    .addOption(
      new Option("-e, --env <slug>", "environment that has the branches; dev is your own")
        .choices(["preview", "dev"])
        .default("preview"),
    )
    .option("-p, --project-ref <ref>", "project, instead of the configuration's")
    .option("-a, --api-url <url>", "server, instead of ACME_API_URL")
    .option("--json", "print JSON");

export function addBranchCommands(program: Command): void {
  const group = program
    .command("branches")
    .description("list, create and archive branches of the preview or development environment");
  withParent(
    group
      .command("list")
      .alias("ls")
      .description("list the branches, sorted by name")
      .option("--all", "include archived branches"),
  )
    .addHelpText("after", "\nExamples:\n  $ acme branches list\n  $ acme branches list --env dev --json")
    .action(list);
  withParent(
    group
      .command("create")
      .description("create a branch, or restore an archived one")
      .argument("<name>", "the branch's name, like feat/search"),
  )
    .addHelpText(
      "after",
      `
\`acme deploy --env preview --branch NAME\` and \`acme dev --branch NAME\` create
the branch if it is missing.

Example:
  $ acme branches create feat/search`,
    )
    .action(create);
  withParent(
    group
      .command("archive")
      .description("archive a branch: it starts no more runs, and its unfinished runs are canceled")
      .argument("<name>", "the branch's name"),
  )
    .addHelpText("after", "\nExample:\n  $ acme branches archive feat/search")
    .action(archive);
}

async function connect({ apiUrl, projectRef }: BranchOptions) {
  const [{ projectAccess }, { branchesApi }] = await Promise.all([
    import("../access.ts"),
    import("../api/branches-api.ts"),
  ]);
  const access = projectAccess({ apiUrl });
  const ref = await projectRefOf(projectRef, ".");
  return branchesApi({ apiUrl: access.apiUrl, token: access.accessToken }, ref);
}

async function list(options: BranchOptions & { all?: boolean }): Promise<void> {
  const branches = (await (await connect(options)).list(options.env)).filter(
    ({ archivedAt }) => options.all || archivedAt === null,
  );
  if (options.json) {
    printJson(branches);
    return;
  }
  if (branches.length === 0) {
    console.error(`The ${options.env} environment has no branches. Create one: acme branches create NAME`);
    return;
  }
  const now = Date.now();
  const time = (iso: string): string => (isInteractive() ? relativeTime(new Date(iso), now) : iso);
  const lines = table<ProjectEnvironment>(
    [
      { title: "BRANCH", value: ({ branch }) => branch ?? "", flexible: true },
      { title: "ENVIRONMENT", value: ({ slug }) => slug },
      { title: "CREATED", value: ({ createdAt }) => time(createdAt) },
      {
        title: "ARCHIVED",
        value: ({ archivedAt }) => (archivedAt ? time(archivedAt) : "–"),
        style: (text) => style("dim", text),
      },
    ],
    branches,
    terminalWidth(),
  );
  console.log(lines.join("\n"));
}

async function create(name: string, options: BranchOptions): Promise<void> {
  const made = await (await connect(options)).create(name, options.env);
  if (options.json) printJson(made);
  else console.log(`Branch ${name} of ${options.env} exists (environment ${made.slug}).`);
}

async function archive(name: string, options: BranchOptions): Promise<void> {
  const archived = await (await connect(options)).archive(name, options.env);
  if (options.json) printJson(archived);
  else console.log(`Branch ${name} of ${options.env} is archived. To restore it, create it again.`);
}
