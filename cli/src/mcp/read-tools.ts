import {
  ErrorGroupStatus,
  ListErrorsResponse,
  ListQueuesResponse,
  ListRunsResponse,
  PUBLIC_STATUSES,
  RetrieveDeploymentResponse,
  RetrieveRunResponse,
  TracePageResponse,
  WhyResponse,
} from "@acme/sdk/contract/api";
import type { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import { z } from "zod";
import { call } from "../api/call.ts";
import { runEvents } from "../api/run-events.ts";
import { CliError } from "../errors.ts";
import type { McpContext } from "./context.ts";
import { environmentInput, slugOf } from "./environment-input.ts";
import { answered } from "./result.ts";
import { eventLine, listedRun, wholeRun } from "./run-view.ts";

const READ = { readOnlyHint: true, openWorldHint: true } as const;
const RunId = z.string().startsWith("run_").max(200).describe("the run's id, run_…");
const DEFAULT_LINES = 100;

/** Tools that change nothing. */
export function addReadTools(server: McpServer, context: McpContext): void {
  const environment = environmentInput(context.options);
  const slug = (given: string | undefined) => slugOf(given, context.options);

  server.registerTool(
    "list_tasks",
    {
      title: "List tasks",
      description:
        "The tasks of the version that new runs of an environment start on: ids, files, descriptions, queues, schedules, and the JSON schema of the payload where the task declares one. For `dev`, those that `acme dev` registered last.",
      inputSchema: { environment },
      annotations: READ,
    },
    ({ environment: given }) =>
      answered(async () => {
        const { api, access, ref, environment: name } = await context.project(slug(given));
        const current = (await api.deployments()).find(({ promoted }) => promoted);
        if (!current) {
          throw new CliError(
            name.startsWith("dev")
              ? "No tasks are registered: run `acme dev` in the project."
              : `Nothing is deployed to ${name} yet: use the tool \`deploy\`, or \`acme deploy --env ${name}\`.`,
          );
        }
        const path = `/api/v1/projects/${encodeURIComponent(ref)}/${encodeURIComponent(name)}/deployments/${encodeURIComponent(current.version)}`;
        const { manifest } = await call(access, RetrieveDeploymentResponse, "GET", path);
        return { environment: name, version: current.version, tasks: manifest.tasks };
      }),
  );

  server.registerTool(
    "list_runs",
    {
      title: "List runs",
      description: "The newest runs of an environment, newest first, filtered.",
      inputSchema: {
        environment,
        status: z.array(z.enum(PUBLIC_STATUSES)).max(20).optional().describe("only in these states"),
        task: z.array(z.string().max(128)).max(20).optional().describe("only of these tasks"),
        tag: z.array(z.string().max(128)).max(10).optional().describe("only with one of these tags"),
        version: z.string().max(64).optional().describe("only of this version, like 20261127.1"),
        error: z
          .string()
          .max(64)
          .optional()
          .describe("only runs that failed with this error: its id from search_errors"),
        period: z.string().max(16).optional().describe('only created within this time: "1h", "7d"'),
        limit: z.number().int().min(1).max(100).default(20),
        after: z.string().max(500).optional().describe("`next` of the previous page"),
      },
      annotations: READ,
    },
    ({ environment: given, ...filter }) =>
      answered(async () => {
        const access = await context.environment(slug(given));
        const query = new URLSearchParams({ "page[size]": String(filter.limit) });
        const add = (name: string, value: string | undefined) => value && query.set(name, value);
        add("filter[status]", filter.status?.join(","));
        add("filter[taskIdentifier]", filter.task?.join(","));
        add("filter[tag]", filter.tag?.join(","));
        add("filter[version]", filter.version);
        add("filter[error]", filter.error);
        add("filter[createdAt][period]", filter.period);
        add("page[after]", filter.after);
        const { data, pagination } = await call(access, ListRunsResponse, "GET", `/api/v1/runs?${query}`);
        return { runs: data.map(listedRun), next: pagination.next };
      }),
  );

  server.registerTool(
    "get_run",
    {
      title: "Inspect a run",
      description:
        "A run with its payload, output, error, attempts, and its timeline and logs: the last `lines` entries.",
      inputSchema: {
        environment,
        id: RunId,
        lines: z.number().int().min(0).max(1_000).default(DEFAULT_LINES).describe("0: no logs"),
      },
      annotations: READ,
    },
    ({ environment: given, id, lines }) =>
      answered(async () => {
        const access = await context.environment(slug(given));
        const [run, events] = await Promise.all([
          call(access, RetrieveRunResponse, "GET", `/api/v3/runs/${encodeURIComponent(id)}`),
          lines > 0 ? runEvents(access, id) : [],
        ]);
        return {
          ...wholeRun(run, access.apiUrl),
          log: lines > 0 ? events.slice(-lines).map(eventLine) : undefined,
          earlierLogLines: Math.max(0, events.length - lines) || undefined,
        };
      }),
  );

  server.registerTool(
    "why_run",
    {
      title: "Why a run is not executing",
      description:
        "What keeps a run from executing, the most important first: a limit, a pause, a delay, a wait, a missing version or host.",
      inputSchema: { environment, id: RunId },
      annotations: READ,
    },
    ({ environment: given, id }) =>
      answered(async () => {
        const access = await context.environment(slug(given));
        return call(access, WhyResponse, "GET", `/api/v1/runs/${encodeURIComponent(id)}/why`);
      }),
  );

  server.registerTool(
    "get_trace",
    {
      title: "The trace of a run",
      description:
        "The spans of the trace that a run is part of, in the order of their starts: attempts, waits, child runs, requests, and what the task's code records.",
      inputSchema: { environment, id: RunId, limit: z.number().int().min(1).max(1_000).default(200) },
      annotations: READ,
    },
    ({ environment: given, id, limit }) =>
      answered(async () => {
        const access = await context.environment(slug(given));
        const path = `/api/v1/runs/${encodeURIComponent(id)}/trace?page[size]=${limit}`;
        const { data, pagination } = await call(access, TracePageResponse, "GET", path);
        return { spans: data, next: pagination.next, truncated: pagination.truncated };
      }),
  );

  server.registerTool(
    "search_errors",
    {
      title: "Search errors",
      description:
        "Failed runs, grouped by task, type, message and stack: how often each error was seen, when, and whether it is resolved. Their runs: list_runs with the error's id.",
      inputSchema: {
        environment,
        search: z.string().max(128).optional().describe("part of the message or of the type"),
        task: z.array(z.string().max(128)).max(20).optional().describe("only of these tasks"),
        status: z.array(ErrorGroupStatus).max(3).default(["unresolved"]),
        period: z.string().max(16).optional().describe('only seen within this time: "1h", "7d"'),
        sort: z.enum(["lastSeen", "count"]).default("lastSeen"),
        limit: z.number().int().min(1).max(100).default(20),
      },
      annotations: READ,
    },
    ({ environment: given, ...filter }) =>
      answered(async () => {
        const access = await context.environment(slug(given));
        const query = new URLSearchParams({ "page[size]": String(filter.limit), sort: filter.sort });
        const add = (name: string, value: string | undefined) => value && query.set(name, value);
        add("filter[search]", filter.search);
        add("filter[taskIdentifier]", filter.task?.join(","));
        add("filter[status]", filter.status.join(","));
        add("filter[createdAt][period]", filter.period);
        const { data } = await call(access, ListErrorsResponse, "GET", `/api/v1/errors?${query}`);
        return { errors: data.map(({ activity: _, ...error }) => error) };
      }),
  );

  server.registerTool(
    "list_queues",
    {
      title: "List queues",
      description:
        "The queues of an environment: how many runs wait and execute, limits, and whether they are paused.",
      inputSchema: { environment, page: z.number().int().min(1).max(1_000).default(1) },
      annotations: READ,
    },
    ({ environment: given, page }) =>
      answered(async () => {
        const access = await context.environment(slug(given));
        return call(access, ListQueuesResponse, "GET", `/api/v1/queues?page=${page}&perPage=50`);
      }),
  );

  server.registerTool(
    "list_deployments",
    {
      title: "List deployments",
      description: "The versions of an environment, newest first, and which one new runs start on.",
      inputSchema: { environment },
      annotations: READ,
    },
    ({ environment: given }) =>
      answered(async () => {
        const { api } = await context.project(slug(given));
        return { deployments: await api.deployments() };
      }),
  );
}
