import type { ListHostsResponse } from "@acme/sdk/contract";
import type {
  AuditEntry,
  OperatorEnvironment,
  OperatorOrganization,
  OperatorOrganizationDetails,
  OrganizationLimitsResponse,
} from "@acme/sdk/contract/api";
import type { Command } from "commander";
import type { z } from "zod";
import { CliError } from "../errors.ts";
import { terminalWidth } from "../terminal/style.ts";
import { type Column, table, timeCell } from "../terminal/table.ts";
import { AdminClient, type AdminOptions, withServer } from "./admin-client.ts";
import { addRebuildCommand } from "./admin-rebuild.ts";
import { printJson } from "./connection.ts";

type Host = z.infer<typeof ListHostsResponse>["data"][number];

export function addAdminCommands(program: Command): void {
  const group = program
    .command("admin")
    .description("operate a server: organizations, limits, hosts, the query side");
  addOrganizationCommands(group);
  addLimitsCommand(group);
  addHostCommands(group);
  addRebuildCommand(group);
  addAuditCommand(group);
  addSecretCommands(group);
}

function addOrganizationCommands(group: Command): void {
  const organizations = group
    .command("organizations")
    .alias("orgs")
    .description("list and add organizations");
  withServer(organizations.command("list").alias("ls").description("list organizations with their usage"))
    .addHelpText("after", "\nExample:\n  $ acme admin organizations list --json | jq '.[].slug'")
    .action(async (options: AdminOptions) => {
      const client = await AdminClient.open(options);
      const found: OperatorOrganization[] = [];
      for (let after = ""; ; ) {
        const page = await client.call<{ data: OperatorOrganization[]; pagination: { next?: string } }>(
          "GET",
          `/organizations?page[size]=100${after}`,
        );
        found.push(...page.data);
        if (page.pagination.next === undefined) break;
        after = `&page[after]=${encodeURIComponent(page.pagination.next)}`;
      }
      print(found, ORGANIZATIONS, options, "There are no organizations.");
    });
  withServer(
    organizations
      .command("get")
      .description("show an organization's environments with their limits and usage")
      .argument("<organization>", "slug"),
  )
    .addHelpText("after", "\nExample:\n  $ acme admin organizations get default")
    .action(async (slug: string, options: AdminOptions) => {
      const client = await AdminClient.open(options);
      const path = `/organizations/${encodeURIComponent(slug)}`;
      const found = await client.call<OperatorOrganizationDetails>("GET", path);
      if (options.json) return printJson(found);
      print([found], ORGANIZATIONS, options, "");
      console.log(`\n${found.runsOfLastDay} runs were triggered in the last 24 hours.\n`);
      print(found.environmentsInUse, ENVIRONMENTS, options, "The organization has no environments.");
    });
  withServer(
    organizations
      .command("add")
      .description("create an organization; `acme admin sign-in-link` adds its first owner")
      .argument("<slug>")
      .option("--name <name>", "display name; default: the slug"),
  )
    .addHelpText("after", "\nExample:\n  $ acme admin organizations add road-runner --name 'Road Runner'")
    .action(async (slug: string, options: AdminOptions & { name?: string }) => {
      const client = await AdminClient.open(options);
      const body = { slug, name: options.name ?? slug };
      const made = await client.call<OperatorOrganization>("POST", "/organizations", body);
      if (options.json) printJson(made);
      else console.log(`Organization ${made.slug} was created.`);
    });
}

interface LimitOptions extends AdminOptions {
  concurrency?: string;
  burst?: string;
  queueSize?: string;
  weight?: string;
  ceiling?: string;
}

function addLimitsCommand(group: Command): void {
  withServer(
    group
      .command("limits")
      .description(
        "change limits of an organization or of one environment; limits that are not given stay the same",
      )
      .argument("<organization-or-environment>", "SLUG, or PROJECTREF/ENVIRONMENT like proj_default/prod")
      .option(
        "--weight <weight>",
        "share of the hosts when their capacity is short, 0.1 to 100; twice the weight, twice the share",
      )
      .option(
        "--ceiling <n>",
        "organization: maximum number of runs that each environment may execute at once, or none",
      )
      .option("--concurrency <n>", "environment: runs executing at once")
      .option("--burst <factor>", "environment: all queues together may use this many times the concurrency")
      .option("--queue-size <n>", "environment: maximum number of runs in a queue that have not started"),
  )
    .addHelpText(
      "after",
      "\nExamples:\n  $ acme admin limits default --weight 2 --ceiling 100\n  $ acme admin limits proj_default/prod --concurrency 50",
    )
    .action(async (name: string, options: LimitOptions) => {
      const client = await AdminClient.open(options);
      const [first = "", environment] = name.split("/");
      if (environment !== undefined) {
        const changes = numbers({
          concurrencyLimit: options.concurrency,
          burstFactor: options.burst,
          queueSizeLimit: options.queueSize,
          weight: options.weight,
        });
        refuse(options.ceiling, "--ceiling applies to an organization: give its slug.");
        const path = `/projects/${encodeURIComponent(first)}/${encodeURIComponent(environment)}/settings`;
        return printJson(await client.call("PUT", path, changes));
      }
      const { concurrency, burst, queueSize } = options;
      refuse(
        concurrency ?? burst ?? queueSize,
        "These limits apply to an environment: give PROJECTREF/ENVIRONMENT.",
      );
      const changes: Record<string, number | null> = numbers({
        weight: options.weight,
        concurrencyCeiling: options.ceiling === "none" ? undefined : options.ceiling,
      });
      if (options.ceiling === "none") changes.concurrencyCeiling = null;
      const path = `/organizations/${encodeURIComponent(first)}/limits`;
      const { lowered, ...now } = await client.call<OrganizationLimitsResponse>("PUT", path, changes);
      if (options.json) return printJson({ ...now, lowered });
      const ceiling =
        now.concurrencyCeiling === null ? "no ceiling" : `a ceiling of ${now.concurrencyCeiling} runs`;
      console.log(
        `${first} has a weight of ${now.weight} and ${ceiling}, in ${now.environments.length} environments.`,
      );
      if (lowered.length > 0) console.log(`Lowered to the ceiling: ${lowered.join(", ")}`);
    });
}

function addHostCommands(group: Command): void {
  const hosts = group.command("hosts").description("list, drain and revoke container hosts");
  withServer(hosts.command("list").alias("ls").description("list container hosts, the latest first"))
    .addHelpText("after", "\nExample:\n  $ acme admin hosts list")
    .action(async (options: AdminOptions) => {
      const client = await AdminClient.open(options);
      const { data } = await client.call<{ data: Host[] }>("GET", "/hosts");
      print(data, HOSTS, options, "No container host has registered.");
    });
  for (const { command, description, done, method, path, body } of HOST_ACTIONS) {
    withServer(hosts.command(command).description(description).argument("<host>", "id"))
      .addHelpText("after", `\nExample:\n  $ acme admin hosts ${command} host-1`)
      .action(async (hostId: string, options: AdminOptions) => {
        const client = await AdminClient.open(options);
        const host = await client.call<Host>(method, `/hosts/${encodeURIComponent(hostId)}${path}`, body);
        if (options.json) printJson(host);
        else console.log(`Host ${host.hostId} ${done}`);
      });
  }
}

const HOST_ACTIONS = [
  {
    command: "drain",
    description: "stop giving runs to a host; its current runs continue",
    done: "gets no more runs. Stop it when its runs have ended.",
    method: "POST",
    path: "/drain",
    body: { draining: true },
  },
  {
    command: "resume",
    description: "give runs to a draining host again",
    done: "gets runs again.",
    method: "POST",
    path: "/drain",
    body: { draining: false },
  },
  {
    command: "revoke",
    description: "revoke a host's credential; its runs are queued again",
    done: "is revoked. Its runs are queued again.",
    method: "DELETE",
    path: "",
    body: undefined,
  },
] as const;

function addAuditCommand(group: Command): void {
  withServer(
    group
      .command("audit")
      .description(
        "print the audit log of the server or of an organization, newest first, one JSON object per line",
      )
      .option("--organization <slug>", "the log of this organization"),
  )
    .addHelpText("after", "\nExample:\n  $ acme admin audit --organization default | head -20")
    .action(async (options: AdminOptions & { organization?: string }) => {
      const client = await AdminClient.open(options);
      const of = options.organization ? `&organization=${encodeURIComponent(options.organization)}` : "";
      for (let after = ""; ; ) {
        const page = await client.call<{ data: AuditEntry[]; pagination: { next?: string } }>(
          "GET",
          `/audit?page[size]=100${of}${after}`,
        );
        for (const entry of page.data) console.log(JSON.stringify(entry));
        if (page.pagination.next === undefined) return;
        after = `&page[after]=${page.pagination.next}`;
      }
    });
}

function addSecretCommands(group: Command): void {
  withServer(
    group
      .command("sign-in-link")
      .description("print a link that signs a person in once")
      .argument("<email>")
      .option("--organization <slug>", "make the person a member of this organization")
      .option("--role <role>", "viewer, developer, admin or owner", "owner"),
  )
    .addHelpText("after", "\nExample:\n  $ acme admin sign-in-link ada@example.com --organization default")
    .action(async (email: string, options: AdminOptions & { organization?: string; role: string }) => {
      const { organization, role } = options;
      const client = await AdminClient.open(options);
      const link = await client.call<{ url: string }>("POST", "/sign-in-links", {
        email,
        organization,
        role,
      });
      if (options.json) printJson(link);
      else console.log(link.url);
    });
  withServer(
    group
      .command("test-mail")
      .description("send a mail to test whether the server's mails arrive")
      .argument("<email>"),
  )
    .addHelpText("after", "\nExample:\n  $ acme admin test-mail ada@example.com")
    .action(async (email: string, options: AdminOptions) => {
      const client = await AdminClient.open(options);
      const { links } = (await client.call("POST", "/test-mails", { email })) as { links: string };
      console.log(
        links === "sent"
          ? `The mail server accepted a mail to ${email}.`
          : "This server sends no mail: it printed the mail to its output. Set MAIL_URL to send mail.",
      );
    });
  withServer(
    group
      .command("rewrap-encryption")
      .description("wrap the keys of all organizations with the first key of ENCRYPTION_KEYS"),
  )
    .addHelpText("after", "\nExample:\n  $ acme admin rewrap-encryption")
    .action(async (options: AdminOptions) => {
      const client = await AdminClient.open(options);
      printJson(await client.call("POST", "/encryption/rewrap", {}));
    });
}

const ORGANIZATIONS: Column<OperatorOrganization>[] = [
  { title: "ORGANIZATION", value: ({ slug }) => slug },
  { title: "NAME", value: ({ name }) => name, flexible: true },
  { title: "MEMBERS", value: ({ members }) => String(members), align: "right" },
  { title: "PROJECTS", value: ({ projects }) => String(projects), align: "right" },
  { title: "ENVIRONMENTS", value: ({ environments }) => String(environments), align: "right" },
  { title: "UNFINISHED", value: ({ runs }) => String(runs.unfinished), align: "right" },
  { title: "EXECUTING", value: ({ runs }) => String(runs.executing), align: "right" },
  { title: "WEIGHT", value: ({ weight }) => String(weight), align: "right" },
  { title: "CEILING", value: ({ concurrencyCeiling }) => String(concurrencyCeiling ?? "–"), align: "right" },
];

const ENVIRONMENTS: Column<OperatorEnvironment>[] = [
  { title: "ENVIRONMENT", value: ({ projectRef, slug }) => `${projectRef}/${slug}`, flexible: true },
  { title: "STATE", value: ({ paused }) => (paused ? "paused" : "active") },
  { title: "RUNNING", value: ({ running }) => String(running), align: "right" },
  { title: "READY", value: ({ ready }) => String(ready), align: "right" },
  { title: "CONCURRENCY", value: ({ concurrencyLimit }) => String(concurrencyLimit), align: "right" },
  { title: "BURST", value: ({ burstFactor }) => String(burstFactor), align: "right" },
  { title: "WEIGHT", value: ({ weight }) => String(weight), align: "right" },
];

const HOSTS: Column<Host>[] = [
  { title: "HOST", value: ({ hostId }) => hostId },
  { title: "NAME", value: ({ name }) => name ?? "", flexible: true },
  { title: "STATE", value: ({ state }) => state },
  { title: "REGISTERED", value: ({ registeredAt }) => timeCell(registeredAt) },
  { title: "LAST SEEN", value: ({ lastSeenAt }) => (lastSeenAt ? timeCell(lastSeenAt) : "never") },
];

function print<T>(rows: T[], columns: Column<T>[], { json }: AdminOptions, none: string): void {
  if (json) printJson(rows);
  else if (rows.length === 0) console.log(none);
  else for (const line of table(columns, rows, terminalWidth())) console.log(line);
}

/** Returns the given options as numbers. */
function numbers(given: Record<string, string | undefined>): Record<string, number> {
  const entries = Object.entries(given).flatMap(([name, text]) => {
    if (text === undefined) return [];
    const value = Number(text);
    if (text.trim() === "" || !Number.isFinite(value))
      throw new CliError(`${name} is "${text}": give a number.`);
    return [[name, value] as const];
  });
  return Object.fromEntries(entries);
}

function refuse(given: string | undefined, message: string): void {
  if (given !== undefined) throw new CliError(message);
}
