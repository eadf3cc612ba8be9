import { TriggerOptions, TriggerResponse } from "@acme/sdk/contract/api";
import type { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import { z } from "zod";
import { call } from "../api/call.ts";
import { buildProject, deployProject } from "../deploy.ts";
import { CliError } from "../errors.ts";
import type { McpContext } from "./context.ts";
import { environmentInput, slugOf } from "./environment-input.ts";
import { answered } from "./result.ts";
import { pageOf } from "./run-view.ts";

const WRITE = { readOnlyHint: false, openWorldHint: true } as const;
const RunId = z.string().startsWith("run_").max(200).describe("the run's id, run_…");
const Made = z.object({ id: z.string() });

/** Tools that change something. */
export function addWriteTools(server: McpServer, context: McpContext): void {
  const environment = environmentInput(context.options);
  const slug = (given: string | undefined) => slugOf(given, context.options);

  server.registerTool(
    "trigger_task",
    {
      title: "Trigger a task",
      description:
        "Triggers a run of a task, and waits for its result for up to `wait` seconds. Read its logs with get_run; if it does not start, call why_run.",
      inputSchema: {
        environment,
        task: z.string().min(1).max(128).describe("the task's id"),
        payload: z.unknown().optional().describe("JSON, as the task expects it"),
        wait: z.number().int().min(0).max(60).default(30).describe("seconds; 0 returns at once"),
        options: TriggerOptions.pick({
          delay: true,
          queue: true,
          tags: true,
          concurrencyKey: true,
          idempotencyKey: true,
          maxAttempts: true,
          machine: true,
        })
          .partial()
          .optional(),
        version: z.string().max(64).optional().describe("run on this version instead of the current one"),
      },
      annotations: WRITE,
    },
    ({ environment: given, task, payload, wait, options, version }) =>
      answered(async () => {
        const access = await context.environment(slug(given));
        const query = wait > 0 ? `?wait=${wait}` : "";
        const path = `/api/v1/tasks/${encodeURIComponent(task)}/trigger${query}`;
        const body = { payload, options: { ...options, ...(version ? { lockToVersion: version } : {}) } };
        const made = await call(access, TriggerResponse, "POST", path, body);
        return { ...made, page: pageOf(made.id, access.apiUrl) };
      }),
  );

  server.registerTool(
    "cancel_run",
    {
      title: "Cancel a run",
      description: "Cancels a run, and the runs that it waits for.",
      inputSchema: { environment, id: RunId },
      annotations: { ...WRITE, destructiveHint: true },
    },
    ({ environment: given, id }) =>
      answered(async () => {
        const access = await context.environment(slug(given));
        return call(access, Made, "POST", `/api/v2/runs/${encodeURIComponent(id)}/cancel`);
      }),
  );

  server.registerTool(
    "replay_run",
    {
      title: "Replay a run",
      description:
        "Triggers a new run with the payload and options of an earlier one, or with another payload.",
      inputSchema: { environment, id: RunId, payload: z.unknown().optional() },
      annotations: WRITE,
    },
    ({ environment: given, id, payload }) =>
      answered(async () => {
        const access = await context.environment(slug(given));
        const path = `/api/v1/runs/${encodeURIComponent(id)}/replay`;
        const made = await call(access, Made, "POST", path, payload === undefined ? {} : { payload });
        return { ...made, page: pageOf(made.id, access.apiUrl) };
      }),
  );

  server.registerTool(
    "deploy",
    {
      title: "Deploy the project",
      description:
        "Bundles the project, finds its tasks, and creates a version in an environment (not in `dev`: use `acme dev` there). Errors in the code are reported with file and line.",
      inputSchema: {
        environment,
        dryRun: z.boolean().default(false).describe("bundle it and find its tasks, but upload nothing"),
        promote: z.boolean().default(true).describe("new runs start on it"),
      },
      annotations: WRITE,
    },
    ({ environment: given, dryRun, promote }) =>
      answered(async () => {
        const built = await buildProject(context.options.dir, { environment: slug(given) });
        const { warnings, contentHash } = built.bundle;
        if (dryRun) return { contentHash, tasks: built.manifest.tasks.map(({ id }) => id), warnings };
        if (built.image) {
          throw new CliError(
            `The project needs an image, which this tool can't build: run \`acme deploy --env ${slug(given)}\`.`,
          );
        }
        const { api } = await context.project(slug(given));
        return { ...(await deployProject(api, built, promote)), warnings };
      }),
  );

  server.registerTool(
    "promote_deployment",
    {
      title: "Promote a version",
      description: "Makes another version the one that new runs start on, for example for a rollback.",
      inputSchema: { environment, version: z.string().min(1).max(64).describe("like 20261127.1") },
      annotations: WRITE,
    },
    ({ environment: given, version }) =>
      answered(async () => (await context.project(slug(given))).api.promote(version)),
  );
}
