import type { ErrorGroupDetail, ErrorGroupListItem } from "@acme/sdk/contract/api";
import type { Command } from "commander";
import { style, terminalWidth } from "../terminal/style.ts";
import { table, timeCell } from "../terminal/table.ts";
import { connect, type EnvironmentOptions, printJson, withEnvironment } from "./connection.ts";

interface ListOptions extends EnvironmentOptions {
  status: string;
  task?: string;
  release?: string;
  search?: string;
  period?: string;
  sort: string;
  limit: string;
}

const PATH = "/api/v1/errors";

export function addErrorCommands(program: Command): void {
  const group = program
    .command("errors")
    .description("list, resolve and ignore errors, which group failed runs");
  withEnvironment(
    group
      .command("list")
      .alias("ls")
      .description("list errors, the latest first")
      .option("--status <statuses>", "unresolved, resolved, ignored; several with commas", "unresolved")
      .option("--task <tasks>", "only of these tasks")
      .option("--release <versions>", "only seen in these versions of the project")
      .option("--search <text>", "part of the message or of the type")
      .option("--period <duration>", "only seen within this time, like 1h or 7d")
      .option("--sort <order>", "lastSeen, or count: the most frequent first", "lastSeen")
      .option("-n, --limit <n>", "how many, 1 to 100", "25"),
  )
    .addHelpText("after", "\nExample:\n  $ acme errors list --task charge --period 7d --sort count")
    .action(list);
  withEnvironment(
    group
      .command("get")
      .description("show an error, with its stack and last runs")
      .argument("<id>", "error_…"),
  ).action(async (id: string, options: EnvironmentOptions) =>
    printDetail(await change("GET", id, "", options), options),
  );
  withEnvironment(
    group
      .command("resolve")
      .description("resolve an error: it reopens when a run of a later version fails with it")
      .argument("<id>", "error_…")
      .option("--in-release <version>", "the newest version that still has it; default: the current one"),
  ).action(async (id: string, options: EnvironmentOptions & { inRelease?: string }) => {
    const body = options.inRelease === undefined ? {} : { resolvedInVersion: options.inRelease };
    const error = await change("POST", id, "/resolve", options, body);
    printDone(error, options, `resolved${error.resolvedInVersion ? ` in ${error.resolvedInVersion}` : ""}`);
  });
  withEnvironment(
    group
      .command("ignore")
      .description("ignore an error, for good or until one of these limits is exceeded")
      .argument("<id>", "error_…")
      .option("--for <duration>", "for this time, like 1h or 7d")
      .option("--occurrences <n>", "until it has occurred this many more times")
      .option("--reason <text>", "why it is ignored"),
  ).action(
    async (
      id: string,
      options: EnvironmentOptions & { for?: string; occurrences?: string; reason?: string },
    ) => {
      const [{ CliError }, { parseDuration }] = await Promise.all([
        import("../errors.ts"),
        import("@acme/sdk/contract/api"),
      ]);
      const duration = options.for === undefined ? undefined : parseDuration(options.for);
      if (duration === null) throw new CliError("--for is a duration such as 1h or 7d.");
      const error = await change("POST", id, "/ignore", options, {
        ...(duration === undefined ? {} : { duration }),
        ...(options.occurrences === undefined ? {} : { totalOccurrences: Number(options.occurrences) }),
        ...(options.reason === undefined ? {} : { reason: options.reason }),
      });
      printDone(error, options, error.ignoredUntil ? `ignored until ${error.ignoredUntil}` : "ignored");
    },
  );
  withEnvironment(
    group
      .command("reopen")
      .description("make a resolved or ignored error unresolved again")
      .argument("<id>", "error_…"),
  ).action(async (id: string, options: EnvironmentOptions) =>
    printDone(await change("POST", id, "/unresolve", options, {}), options, "unresolved again"),
  );
}

async function list(options: ListOptions): Promise<void> {
  const { access } = await connect(options);
  const [{ call }, { ListErrorsResponse }] = await Promise.all([
    import("../api/call.ts"),
    import("@acme/sdk/contract/api"),
  ]);
  const query = new URLSearchParams({ "page[size]": options.limit, sort: options.sort });
  const add = (name: string, value: string | undefined) => value && query.set(name, value);
  add("filter[status]", options.status);
  add("filter[taskIdentifier]", options.task);
  add("filter[version]", options.release);
  add("filter[search]", options.search);
  add("filter[createdAt][period]", options.period);
  const { data } = await call(access, ListErrorsResponse, "GET", `${PATH}?${query}`);
  if (options.json) {
    printJson(data);
    return;
  }
  if (data.length === 0) {
    console.error(`There are no errors that are ${options.status.replaceAll(",", " or ")}.`);
    return;
  }
  const lines = table<ErrorGroupListItem>(
    [
      { title: "ERROR", value: ({ id }) => id },
      { title: "TASK", value: ({ taskIdentifier }) => taskIdentifier },
      { title: "RUNS", value: ({ count }) => String(count), align: "right" },
      { title: "LAST SEEN", value: ({ lastSeen }) => timeCell(lastSeen) },
      {
        title: "STATUS",
        value: ({ status }) => status,
        style: (text, { status }) => style(status === "unresolved" ? "red" : "gray", text),
      },
      {
        title: "MESSAGE",
        value: ({ errorType, errorMessage }) => `${errorType}: ${errorMessage}`,
        flexible: true,
      },
    ],
    data,
    terminalWidth(),
  );
  console.log(lines.join("\n"));
}

async function change(
  method: "GET" | "POST",
  id: string,
  action: string,
  options: EnvironmentOptions,
  body?: object,
): Promise<ErrorGroupDetail> {
  const { access } = await connect(options);
  const [{ call }, api] = await Promise.all([import("../api/call.ts"), import("@acme/sdk/contract/api")]);
  return call(access, api.ErrorGroupDetail, method, `${PATH}/${encodeURIComponent(id)}${action}`, body);
}

function printDone(error: ErrorGroupDetail, { json }: EnvironmentOptions, what: string): void {
  if (json) printJson(error);
  else console.log(`Error ${error.id} (${error.errorType} in ${error.taskIdentifier}) is ${what}.`);
}

function printDetail(error: ErrorGroupDetail, { json }: EnvironmentOptions): void {
  if (json) {
    printJson(error);
    return;
  }
  const facts: [string, string][] = [
    ["Task", error.taskIdentifier],
    ["Status", error.status],
    ["Runs", String(error.count)],
    ["First seen", error.firstSeen],
    ["Last seen", error.lastSeen],
    ["Versions", error.affectedVersions.join(", ") || "-"],
    ["Last runs", error.lastRuns.map(({ id }) => id).join(" ")],
  ];
  console.log(style("red", `${error.errorType}: ${error.errorMessage}`));
  for (const [name, value] of facts) console.log(`${style("dim", name.padEnd(11))} ${value}`);
  if (error.stackTrace) console.log(style("dim", error.stackTrace));
}
