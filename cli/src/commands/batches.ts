import type { BatchSummary } from "@acme/sdk/contract/api";
import type { Command } from "commander";
import { duration, relativeTime } from "../terminal/format.ts";
import { isInteractive, style, terminalWidth } from "../terminal/style.ts";
import { facts, table } from "../terminal/table.ts";
import { parseLimit } from "./arguments.ts";
import { connect, type EnvironmentOptions, printJson, withEnvironment } from "./connection.ts";

export function addBatchCommands(program: Command): void {
  const group = program
    .command("batches")
    .description("list batches, show them and the results of their runs");
  withEnvironment(
    group
      .command("list")
      .alias("ls")
      .description("list the newest batches")
      .option("-n, --limit <n>", "how many, 1 to 100", parseLimit, 20),
  )
    .addHelpText("after", "\nExample:\n  $ acme batches list --json | jq -r '.[].id'")
    .action(list);
  withEnvironment(
    group.command("get").description("show a batch").argument("<id>", "the batch's id, batch_…"),
  )
    .addHelpText("after", "\nExample:\n  $ acme batches get batch_…")
    .action(get);
  withEnvironment(
    group
      .command("results")
      .description("print the result of each run of a batch, one JSON object per line")
      .argument("<id>", "the batch's id, batch_…"),
  )
    .addHelpText("after", "\nExample:\n  $ acme batches results batch_… | jq -c 'select(.ok | not)'")
    .action(results);
}

const api = () => Promise.all([import("../api/call.ts"), import("@acme/sdk/contract/api")]);

const progress = ({ completedCount, runCount, refusedCount }: BatchSummary): string =>
  `${completedCount}/${runCount}${refusedCount > 0 ? `, ${refusedCount} refused` : ""}`;

const STATUS: Record<string, Parameters<typeof style>[0]> = {
  COMPLETED: "green",
  PROCESSING: "cyan",
  PENDING: "yellow",
};

async function list(options: EnvironmentOptions & { limit: number }): Promise<void> {
  const [{ access }, [{ call }, { ListBatchesResponse }]] = await Promise.all([connect(options), api()]);
  const path = `/api/v1/batches?page[size]=${options.limit}`;
  const { data } = await call(access, ListBatchesResponse, "GET", path);
  if (options.json) {
    printJson(data);
    return;
  }
  if (data.length === 0) {
    console.error("There are no batches.");
    return;
  }
  const now = Date.now();
  const lines = table(
    [
      { title: "ID", value: (batch) => batch.id },
      {
        title: "STATUS",
        value: (batch) => batch.status,
        style: (text, batch) => style(STATUS[batch.status] ?? "red", text),
      },
      { title: "RUNS", align: "right", value: progress },
      {
        title: "CREATED",
        value: ({ createdAt }) => (isInteractive() ? relativeTime(new Date(createdAt), now) : createdAt),
      },
      {
        title: "TOOK",
        align: "right",
        value: ({ createdAt, finishedAt }) =>
          finishedAt ? duration(Date.parse(finishedAt) - Date.parse(createdAt)) : "-",
        style: (text) => style("dim", text),
      },
    ],
    data,
    terminalWidth(),
  );
  console.log(lines.join("\n"));
}

async function get(id: string, options: EnvironmentOptions): Promise<void> {
  const [{ access }, [{ call }, { RetrieveBatchResponse }]] = await Promise.all([connect(options), api()]);
  const path = `/api/v2/batches/${encodeURIComponent(id)}`;
  const batch = await call(access, RetrieveBatchResponse, "GET", path);
  if (options.json || !isInteractive()) {
    printJson(batch);
    return;
  }
  const { completedAt, errors } = batch.processing;
  console.log(
    facts([
      ["Batch", style("bold", batch.id)],
      ["Status", style(STATUS[batch.status] ?? "red", batch.status)],
      ["Runs", `${batch.completedCount} of ${batch.runCount} have ended`],
      ["Created", `${batch.createdAt} (${relativeTime(new Date(batch.createdAt), Date.now())})`],
      ["All started", completedAt],
      ["Idempotency key", batch.idempotencyKey],
    ]).join("\n"),
  );
  for (const error of errors) console.log(style("red", `Refused: ${JSON.stringify(error)}`));
  console.log(style("dim", `\nIts runs: acme batches results ${batch.id}`));
}

async function results(id: string, options: EnvironmentOptions): Promise<void> {
  const [{ access }, [{ call }, { BatchResultsResponse }]] = await Promise.all([connect(options), api()]);
  let after: string | undefined;
  do {
    const query = `page[size]=1000${after === undefined ? "" : `&page[after]=${after}`}`;
    const path = `/api/v1/batches/${encodeURIComponent(id)}/results?${query}`;
    const { items, pagination } = await call(access, BatchResultsResponse, "GET", path);
    for (const item of items) console.log(JSON.stringify(item));
    after = pagination.next;
  } while (after !== undefined);
}
