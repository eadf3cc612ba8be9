import type { ApiKeyBody, CreatedApiKey } from "@acme/sdk/contract/api";
import { type Command, InvalidArgumentError } from "commander";
import { relativeTime } from "../terminal/format.ts";
import { isInteractive, style, terminalWidth } from "../terminal/style.ts";
import { table } from "../terminal/table.ts";
import { connectProject, type EnvironmentOptions, printJson, withProject } from "./connection.ts";

/** The contract's values, repeated because `--help` does not load the contract. A test compares them. */
export const MAX_OVERLAP_SECONDS = 604_800;
export const LIFETIME_SECONDS = { min: 60, max: 31_536_000 };

/** The minimum terminal width for the column that shows who created a key. */
const WIDE = 120;

const EXPIRES: [string, string, (text: string) => number] = [
  "--expires <time>",
  'how long the new key is accepted, like "30m", "24h" or "90d"; without it, until it is revoked',
  parseLifetime,
];

interface CreateOptions extends EnvironmentOptions {
  expires?: number;
}

export function addKeyCommands(program: Command): void {
  const group = program
    .command("keys")
    .description("list, create, rotate and revoke the secret keys of an environment");
  withProject(
    group
      .command("list")
      .alias("ls")
      .description("list the keys, the newest first; the keys themselves are not shown")
      .option("--all", "include keys that have ended"),
  )
    .addHelpText("after", "\nExample:\n  $ acme keys list --env staging")
    .action(list);
  withProject(
    group
      .command("create")
      .description("create a key and print it; it can't be shown again")
      .option("-n, --name <name>", "what the key is for", "default")
      .option(...EXPIRES),
  )
    .addHelpText(
      "after",
      "\nExamples:\n  $ acme keys create --name web > key.txt\n  $ acme keys create --name migration --expires 2h",
    )
    .action(create);
  withProject(
    group
      .command("rotate")
      .description("replace a key: print a new one, and accept the old one for an overlap")
      .argument("<id>", "the key's id, as `acme keys list` shows it")
      .option(
        "--overlap <time>",
        'how long the old key is accepted, like "30m", "24h", "7d" or "0"',
        parseOverlap,
        86_400,
      )
      .option(...EXPIRES),
  )
    .addHelpText("after", "\nExample:\n  $ acme keys rotate 3f1c0a9be2d47788 --overlap 1h")
    .action(rotate);
  withProject(
    group
      .command("revoke")
      .alias("rm")
      .description("revoke a key: it is refused everywhere within 10 seconds")
      .argument("<id>", "the key's id"),
  )
    .addHelpText("after", "\nExample:\n  $ acme keys revoke 3f1c0a9be2d47788")
    .action(revoke);
}

const UNIT_SECONDS: Record<string, number> = { "": 1, s: 1, m: 60, h: 3_600, d: 86_400 };

function secondsOf(text: string): number {
  const [, amount, unit = ""] = /^(\d+)([smhd]?)$/.exec(text) ?? [];
  return Number(amount) * (UNIT_SECONDS[unit] ?? Number.NaN);
}

function parseLifetime(text: string): number {
  const seconds = secondsOf(text);
  if (seconds >= LIFETIME_SECONDS.min && seconds <= LIFETIME_SECONDS.max) return seconds;
  throw new InvalidArgumentError('give a time from a minute to 365 days, like "30m", "24h" or "90d".');
}

function parseOverlap(text: string): number {
  const seconds = secondsOf(text);
  if (seconds <= MAX_OVERLAP_SECONDS) return seconds;
  throw new InvalidArgumentError('give a time up to 7 days, like "30m", "24h", "7d" or "0".');
}

async function connect(options: EnvironmentOptions) {
  const { keysApi } = await import("../api/keys-api.ts");
  const { access, ref, slug } = await connectProject(options);
  return keysApi(access, ref, slug);
}

const hasEnded = ({ revokedAt }: ApiKeyBody, now: number): boolean =>
  revokedAt !== undefined && Date.parse(revokedAt) <= now;

async function list(options: EnvironmentOptions & { all?: boolean }): Promise<void> {
  const now = Date.now();
  const keys = (await (await connect(options)).list()).filter((key) => options.all || !hasEnded(key, now));
  if (options.json) {
    printJson(keys);
    return;
  }
  if (keys.length === 0) {
    console.error(`The environment "${options.env}" has no keys. Create one with \`acme keys create\`.`);
    return;
  }
  const time = (iso: string | null | undefined, none: string): string => {
    if (!iso) return none;
    return isInteractive() ? relativeTime(new Date(iso), now) : iso;
  };
  const width = terminalWidth();
  const by = { title: "BY", value: ({ createdBy }: ApiKeyBody) => createdBy ?? "–" };
  const lines = table(
    [
      { title: "ID", value: ({ id }) => id },
      { title: "NAME", value: ({ name }) => name, flexible: true },
      { title: "KEY", value: ({ start }) => (start === null ? "–" : `${start}…`) },
      { title: "LAST USED", value: ({ lastUsedAt }) => time(lastUsedAt, "never") },
      {
        title: "ENDS",
        value: ({ revokedAt }) => time(revokedAt, "–"),
        style: (text, key) => (key.revokedAt === undefined ? text : style("yellow", text)),
      },
      { title: "CREATED", value: ({ createdAt }) => time(createdAt, "–") },
      ...(width === 0 || width >= WIDE ? [by] : []),
    ],
    keys,
    width,
  );
  console.log(lines.join("\n"));
}

async function create({ name, expires, ...options }: CreateOptions & { name: string }): Promise<void> {
  const created = await (await connect(options)).create(name, expires ?? null);
  printCreated(options, created, "It can't be shown again.");
}

async function rotate(
  id: string,
  { overlap, expires, ...options }: CreateOptions & { overlap: number },
): Promise<void> {
  const created = await (await connect(options)).rotate(id, overlap, expires ?? null);
  const end = new Date(Date.now() + overlap * 1000);
  const former = overlap === 0 ? "is refused from now on" : `is accepted until ${end.toISOString()} at most`;
  printCreated(options, created, `It can't be shown again. The old key ${former}.`);
}

/** Standard output contains only the key, so that it can be redirected to a file or another command. */
function printCreated({ env, json }: EnvironmentOptions, created: CreatedApiKey, more: string): void {
  if (json) {
    printJson(created);
    return;
  }
  const end = created.revokedAt === undefined ? "" : ` It expires on ${created.revokedAt}.`;
  console.error(`Key "${created.name}" of ${env} (${created.id}).${end} ${more}`);
  console.log(created.key);
}

async function revoke(id: string, options: EnvironmentOptions): Promise<void> {
  await (await connect(options)).revoke(id);
  if (options.json) printJson({ revoked: id });
  else console.log(`Key ${id} is revoked: within 10 seconds it is refused everywhere.`);
}
