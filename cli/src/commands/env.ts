import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { parseEnv } from "node:util";
import { type Command, InvalidArgumentError } from "commander";
import { CliError } from "../errors.ts";
import { relativeTime } from "../terminal/format.ts";
import { isInteractive, style, terminalWidth } from "../terminal/style.ts";
import { table } from "../terminal/table.ts";
import { connectProject, printJson, withProject } from "./connection.ts";

interface EnvOptions {
  env: string;
  projectRef?: string;
  apiUrl?: string;
  json?: boolean;
  secret?: boolean;
  override?: boolean;
  force?: boolean;
}

export function addEnvCommands(program: Command): void {
  const group = program
    .command("env")
    .description("list and change the environment variables that tasks get");
  withProject(
    group.command("list").alias("ls").description("list the variables; values of secrets are not shown"),
  )
    .addHelpText("after", "\nExample:\n  $ acme env list --env staging")
    .action(list);
  withProject(
    group
      .command("get")
      .description("print the value of a variable")
      .argument("<name>", "the variable's name"),
  )
    .addHelpText("after", "\nExample:\n  $ acme env get DATABASE_URL")
    .action(get);
  withProject(
    group
      .command("set")
      .description("set variables")
      .argument("<NAME=VALUE...>", "variables; NAME=- reads the value from standard input", parseAssignment)
      .option("-s, --secret", "never show the values again, and remove them from logs and errors"),
  )
    .addHelpText(
      "after",
      `
Examples:
  $ acme env set LOG_LEVEL=debug REGION=eu
  $ acme env set --secret API_KEY=- < key.txt`,
    )
    .action(set);
  withProject(group.command("rm").description("delete variables").argument("<name...>", "names of variables"))
    .addHelpText("after", "\nExample:\n  $ acme env rm LOG_LEVEL")
    .action(remove);
  withProject(
    group
      .command("import")
      .description("set the variables of a .env file")
      .argument("[file]", "the file", ".env")
      .option("--override", "replace variables that exist")
      .option("-s, --secret", "import the variables as secrets"),
  )
    .addHelpText("after", "\nExample:\n  $ acme env import .env.production --override")
    .action(importFile);
  withProject(
    group
      .command("pull")
      .description("write the variables to a .env file; secrets become comments")
      .argument("[file]", "the file", ".env")
      .option("--force", "replace the file if it exists"),
  )
    .addHelpText("after", "\nExample:\n  $ acme env pull .env.local --env dev")
    .action(pull);
}

/** Collects `NAME=VALUE` arguments. The value may contain `=`. */
function parseAssignment(text: string, before: Record<string, string> | undefined): Record<string, string> {
  const at = text.indexOf("=");
  if (at < 1) throw new InvalidArgumentError("write NAME=VALUE.");
  return { ...before, [text.slice(0, at)]: text.slice(at + 1) };
}

async function connect(options: EnvOptions) {
  const { variablesApi } = await import("../api/variables-api.ts");
  const { access, ref, slug } = await connectProject(options);
  return variablesApi(access, ref, slug);
}

async function list(options: EnvOptions): Promise<void> {
  const variables = await (await connect(options)).list();
  if (options.json) {
    printJson(variables);
    return;
  }
  if (variables.length === 0) {
    console.error(`The environment "${options.env}" has no variables.`);
    return;
  }
  const now = Date.now();
  const lines = table(
    [
      { title: "NAME", value: ({ name }) => name },
      {
        title: "CHANGED",
        value: ({ updatedAt }) => (isInteractive() ? relativeTime(new Date(updatedAt), now) : updatedAt),
        style: (text) => style("dim", text),
      },
      {
        title: "VALUE",
        value: ({ value, isSecret }) => (isSecret ? "(secret)" : value),
        style: (text, { isSecret }) => (isSecret ? style("dim", text) : text),
        flexible: true,
      },
    ],
    variables,
    terminalWidth(),
  );
  console.log(lines.join("\n"));
}

async function get(name: string, options: EnvOptions): Promise<void> {
  const found = (await (await connect(options)).list()).find((variable) => variable.name === name);
  if (!found) throw new CliError(`The environment "${options.env}" has no variable "${name}".`);
  if (options.json) printJson(found);
  else if (found.isSecret) throw new CliError(`"${name}" is a secret: its value cannot be read.`);
  else console.log(found.value);
}

async function set(assignments: Record<string, string>, options: EnvOptions): Promise<void> {
  const stdin = Object.values(assignments).includes("-") ? readFileSync(0, "utf8").replace(/\n$/, "") : "";
  const variables = Object.fromEntries(
    Object.entries(assignments).map(([name, value]) => [name, value === "-" ? stdin : value]),
  );
  const api = await connect(options);
  const changed = await api.set(variables, { override: true, isSecret: options.secret });
  done(options, changed, `Set in ${options.env}`);
}

async function remove(names: string[], options: EnvOptions): Promise<void> {
  const api = await connect(options);
  for (const name of names) await api.delete(name);
  done(options, names, `Deleted from ${options.env}`);
}

async function importFile(file: string, options: EnvOptions): Promise<void> {
  const variables = parseEnv(textOf(file)) as Record<string, string>;
  const names = Object.keys(variables);
  if (names.length === 0) throw new CliError(`${file} has no variables.`);
  const api = await connect(options);
  const changed = await api.set(variables, { override: options.override ?? false, isSecret: options.secret });
  const kept = names.filter((name) => !changed.includes(name));
  if (kept.length > 0 && !options.json)
    console.error(
      `Not changed, because they exist or are the same: ${kept.join(", ")}. To replace them: --override`,
    );
  done(options, changed, `Set in ${options.env}`);
}

async function pull(file: string, options: EnvOptions): Promise<void> {
  if (existsSync(file) && !options.force)
    throw new CliError(`${file} exists. Pass --force to replace it, or another file name.`);
  const [api, { envLine }] = await Promise.all([connect(options), import("../project/env-file.ts")]);
  const variables = await api.list();
  const lines = variables.map(({ name, value, isSecret }) => {
    if (isSecret) return `# ${name} is a secret: set it here by hand`;
    return envLine(name, value) ?? `# ${name} cannot be written to a .env file: acme env get ${name}`;
  });
  writeFileSync(file, `${lines.join("\n")}\n`, { mode: 0o600 });
  done(
    options,
    variables.map(({ name }) => name),
    `Written to ${file}`,
  );
}

function textOf(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    throw new CliError(`${file} could not be read: ${(error as Error).message}`);
  }
}

function done({ json }: EnvOptions, names: string[], what: string): void {
  if (json) printJson({ changed: names });
  else console.log(names.length === 0 ? "Nothing was changed." : `${what}: ${names.join(", ")}`);
}
