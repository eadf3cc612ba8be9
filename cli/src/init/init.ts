import { existsSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import { CliError } from "../errors.ts";
import { findConfig } from "../project/load-config.ts";
import { style } from "../terminal/style.ts";
import { VERSION } from "../version.ts";
import { canAsk, choose, confirm } from "./ask.ts";
import { installPackages } from "./install.ts";
import { packageManagerOf, runAcme, runScript } from "./package-manager.ts";
import { type Change, planInit } from "./plan.ts";
import { knownProjects } from "./project.ts";

export interface InitOptions {
  projectRef?: string;
  apiUrl?: string;
  yes?: boolean;
  skipInstall?: boolean;
  json?: boolean;
}

/** Adds a configuration, an example task and scripts to the project in a folder. @throws CliError that says what to do */
export async function init(dir: string, options: InitOptions): Promise<void> {
  const root = resolve(dir);
  if (!statSync(root, { throwIfNoEntry: false })?.isDirectory())
    throw new CliError(`${root} is not a folder.`);
  if (!options.yes && !canAsk())
    throw new CliError("There is no terminal for questions: pass --yes to add everything without asking.");
  const project = await projectFor(root, options);
  const manager = packageManagerOf(root);
  const { changes, installs } = planInit({ root, manager, project, version: VERSION });
  const open = changes.filter(({ apply }) => apply);
  if (!options.yes && open.length > 0) {
    for (const change of changes) console.error(changeLine(change));
    if (!(await confirm(`Change ${root}?`))) throw new CliError("Nothing was changed.");
  }
  for (const { apply } of open) apply?.();
  const needsInstall = installs || !existsSync(join(root, "node_modules/@acme/sdk"));
  if (needsInstall && !options.skipInstall) await installPackages(manager, root);
  if (options.json) {
    const shown = changes.map(({ file, what, apply }) => ({ file, what, changed: apply !== undefined }));
    console.log(JSON.stringify({ root, project, packageManager: manager, changes: shown }, null, 2));
    return;
  }
  if (options.yes || open.length === 0) for (const change of changes) console.log(changeLine(change));
  const steps: [string, string][] = [
    ...(needsInstall && options.skipInstall
      ? ([[`${manager} install`, "install the packages"]] satisfies [string, string][])
      : []),
    [runScript(manager, "acme:dev"), "execute the tasks here; reload them whenever a file is saved"],
    [`${runAcme(manager)} trigger hello-world '{"name":"you"}' --env dev --wait`, ""],
    [runScript(manager, "acme:deploy"), "deploy a version that runs without this machine"],
  ];
  console.log(
    `\n${open.length === 0 ? "Nothing was missing." : "Done."} Next, in ${root}:\n${steps
      .map(([command, text]) => `  ${style("bold", command.padEnd(22))} ${style("dim", text)}`.trimEnd())
      .join("\n")}`,
  );
}

const changeLine = ({ file, what, apply }: Change): string =>
  apply
    ? `  ${style("green", "+")} ${file.padEnd(28)} ${style("dim", what)}`
    : `  ${style("dim", `= ${file.padEnd(28)} ${what}`)}`;

/** Returns the project for a new configuration. An existing configuration names its own. */
async function projectFor(root: string, options: InitOptions): Promise<string> {
  const given = options.projectRef ?? process.env.ACME_PROJECT_REF;
  if (given) return given;
  if (findConfig(root)) return "";
  const projects = await knownProjects(root, options.apiUrl);
  const [first] = projects;
  if (!first) {
    throw new CliError(
      "No project is known: pass --project-ref proj_…, log in with `acme login`, or start a server with `acme up`.",
    );
  }
  if (projects.length === 1) return first.ref;
  if (options.yes || !canAsk()) {
    throw new CliError(
      `There are several projects: pass --project-ref with one of ${projects.map(({ ref }) => ref).join(", ")}.`,
    );
  }
  const index = await choose(
    "Which project?",
    projects.map(({ name, ref }) => `${name}  ${style("dim", ref)}`),
  );
  return projects[index]?.ref ?? first.ref;
}
