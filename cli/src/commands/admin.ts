import type { Command } from "commander";
import { CliError } from "../errors.ts";
import { printJson } from "./connection.ts";

interface AdminOptions {
  apiUrl?: string;
  data: string;
}

/** Adds the options of commands that a server's operator gives. */
const withServer = (command: Command): Command =>
  command
    .option("-a, --api-url <url>", "server, instead of ACME_API_URL")
    .option("--data <dir>", "data folder of a server on this machine, without ACME_ADMIN_TOKEN", ".acme");

/** One call with the admin token: of ACME_ADMIN_TOKEN, or of the server whose data folder this is. */
async function ask(options: AdminOptions, method: string, path: string, body: object): Promise<unknown> {
  const [{ existsSync, readFileSync }, { join }] = await Promise.all([
    import("node:fs"),
    import("node:path"),
  ]);
  const read = (file: string): Record<string, string | undefined> => {
    const at = join(options.data, file);
    return existsSync(at) ? JSON.parse(readFileSync(at, "utf8")) : {};
  };
  const apiUrl = options.apiUrl ?? process.env.ACME_API_URL ?? read("local.json").apiUrl;
  const token = process.env.ACME_ADMIN_TOKEN ?? read("secrets.json").adminToken;
  if (!apiUrl || !token) {
    throw new CliError(
      "The server's address or its admin token is missing: set ACME_API_URL and ACME_ADMIN_TOKEN, or name the data folder of a server here with --data DIR.",
    );
  }
  const response = await fetch(`${apiUrl.replace(/\/+$/, "")}/admin/v1${path}`, {
    method,
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
    body: JSON.stringify(body),
  }).catch((error: Error) => {
    throw new CliError(`The server at ${apiUrl} does not answer: ${error.message}`);
  });
  const text = await response.text();
  const answer = text.startsWith("{") ? (JSON.parse(text) as { error?: string }) : {};
  if (!response.ok) throw new CliError(answer.error ?? `The server answered ${response.status}: ${text}`);
  return answer;
}

function numberOf(text: string, what: string): number {
  const value = Number(text);
  if (text.trim() !== "" && Number.isFinite(value)) return value;
  throw new CliError(`${what} is "${text}": give a number.`);
}

export function addAdminCommands(program: Command): void {
  const group = program.command("admin").description("operate a server: people, shares and limits");
  withServer(
    group
      .command("sign-in-link")
      .description("print a link that signs a person in once")
      .argument("<email>")
      .option("--organization <slug>", "make them a member of it")
      .option("--role <role>", "viewer, developer, admin or owner", "owner"),
  )
    .addHelpText("after", "\nExample:\n  $ acme admin sign-in-link ada@example.com --organization default")
    .action(async (email: string, options: AdminOptions & { organization?: string; role: string }) => {
      const { organization, role } = options;
      const link = await ask(options, "POST", "/sign-in-links", { email, organization, role });
      console.log((link as { url: string }).url);
    });
  withServer(
    group
      .command("weight")
      .description("set the share of an organization's environments when hosts are short")
      .argument("<organization>", "slug")
      .argument("<weight>", "0.1 to 100; twice the weight is twice the share"),
  )
    .addHelpText("after", "\nExample:\n  $ acme admin weight default 2")
    .action(async (organization: string, weight: string, options: AdminOptions) => {
      const path = `/organizations/${encodeURIComponent(organization)}/weight`;
      printJson(await ask(options, "PUT", path, { weight: numberOf(weight, "The weight") }));
    });
  withServer(
    group
      .command("limits")
      .description("change an environment's limits; what is not given stays")
      .argument("<environment>", "PROJECTREF/SLUG, like proj_default/prod")
      .option("--concurrency <n>", "runs executing at once")
      .option("--burst <factor>", "all queues together may use so many times that")
      .option("--queue-size <n>", "most runs of a queue that have not started"),
  )
    .addHelpText("after", "\nExample:\n  $ acme admin limits proj_default/prod --concurrency 50")
    .action(
      async (
        environment: string,
        options: AdminOptions & { concurrency?: string; burst?: string; queueSize?: string },
      ) => {
        const [ref = "", slug = ""] = environment.split("/");
        const given = {
          concurrencyLimit: options.concurrency,
          burstFactor: options.burst,
          queueSizeLimit: options.queueSize,
        };
        const changes = Object.fromEntries(
          Object.entries(given).flatMap(([name, text]) =>
            text === undefined ? [] : [[name, numberOf(text, name)]],
          ),
        );
        const path = `/projects/${encodeURIComponent(ref)}/${encodeURIComponent(slug)}/settings`;
        printJson(await ask(options, "PUT", path, changes));
      },
    );
  withServer(
    group
      .command("rewrap-encryption")
      .description("wrap the keys of all organizations with the first of ENCRYPTION_KEYS"),
  )
    .addHelpText("after", "\nExample:\n  $ acme admin rewrap-encryption")
    .action(async (options: AdminOptions) => {
      printJson(await ask(options, "POST", "/encryption/rewrap", {}));
    });
}
