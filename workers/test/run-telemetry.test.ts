import { spanIdOfAttempt, spanIdOfOperation, spanIdOfRun } from "@acme/sdk/contract";
import type { RunLogsResponse, SpanResponse, TracePageResponse, TraceTreeSpan } from "@acme/sdk/contract/api";
import { beforeAll, describe, expect, it } from "vitest";
import type { z } from "zod";
import { call, deploy, newProject, type Project } from "./client.ts";
import { dequeue, journal, report, runTokenOf, start } from "./host.ts";
import { span } from "./telemetry/store-suite.ts";

interface Tree {
  trace: { traceId: string; rootSpan: TraceTreeSpan; truncated: boolean };
}

const TRACE = "0af7651916cd43dd8448eb211c80319c";
const CALLER = "b7ad6b7169203331";
const traceparent = `00-${TRACE}-${CALLER}-01`;

let project: Project;
beforeAll(async () => {
  project = await newProject();
  await deploy(project, ["send", "child"]);
});

const trigger = async (task: string, headers: Record<string, string> = {}, body = {}): Promise<string> =>
  (await call<{ id: string }>("POST", `/api/v1/tasks/${task}/trigger`, project.prod, body, headers)).body.id;

const get = <T>(path: string, key = project.prod) => call<T>("GET", `/api/v1/runs/${path}`, key);

/** The tree as lines: `kind name`, indented. */
function linesOf(node: TraceTreeSpan, indent = ""): string[] {
  return [
    `${indent}${node.data.kind} ${node.data.message}`,
    ...node.children.flatMap((child) => linesOf(child, `${indent}  `)),
  ];
}

describe("the trace of a run", () => {
  it("is one tree of its owner's facts, also while the run waits in its queue", async () => {
    const runId = await trigger("send", { traceparent });
    const { body } = await get<Tree>(`${runId}/trace`);
    expect(body.trace).toMatchObject({ traceId: TRACE, truncated: false });
    expect(body.trace.rootSpan).toMatchObject({
      id: spanIdOfRun(runId),
      runId,
      data: { message: "send", kind: "run", isPartial: true, isError: false, taskSlug: "send" },
      children: [],
    });
    const run = await dequeue(runId);
    expect(run.traceparent).toBe(traceparent);
  });

  it("has attempts, operations, child runs and recorded spans, each below its parent", async () => {
    const runId = await trigger("send");
    const run = await start(runId);
    const before = await get<Tree>(`${runId}/trace`);
    const { traceId } = before.body.trace;
    const childSpan = spanIdOfOperation(runId, 1, 1);
    const childId = await trigger(
      "child",
      { traceparent: `00-${traceId}-${childSpan}-01` },
      { options: { parentRunId: runId } },
    );
    const now = Date.now();
    await journal(run, [
      {
        number: 0,
        kind: "step",
        name: "charge",
        startedAt: now,
        completedAt: now + 5,
        result: {
          ok: false,
          error: { type: "BUILT_IN_ERROR", name: "Error", message: "declined", stackTrace: "" },
        },
      },
      { number: 1, kind: "run", name: "child", target: childId, startedAt: now + 6 },
    ]);
    const inStep = span({
      traceId,
      parentSpanId: spanIdOfOperation(runId, 1, 0),
      name: "POST api.bank.test",
      startTime: now + 1,
      endTime: now + 4,
      attributes: { "acme.kind": "fetch", "http.response.status_code": 402 },
    });
    const orphan = span({
      traceId,
      parentSpanId: "00000000000000ff",
      name: "lost parent",
      startTime: now + 2,
    });
    const spans = [inStep, orphan].map((one) => ({ ...one, endTime: one.endTime ?? null }));
    const entries = [{ time: now, level: "info", message: "hello", spanId: inStep.spanId, traceId }];
    const answer = await report({
      logs: [
        {
          runId,
          attempt: 1,
          apiToken: runTokenOf(runId),
          entries,
          spans,
          batch: { sender: "host-1", number: 1 },
        },
      ],
    });
    expect(answer.body).toMatchObject({ logs: ["ok"] });
    await start(childId);
    const { body } = await get<Tree>(`${runId}/trace`);
    expect(linesOf(body.trace.rootSpan)).toEqual([
      "run send",
      "  attempt Attempt 1",
      "    step charge",
      "      fetch POST api.bank.test",
      "    custom lost parent",
      "    child child",
      "      run child",
      "        attempt Attempt 1",
    ]);
    // The child's trace is the same tree.
    const ofChild = await get<Tree>(`${childId}/trace`);
    expect(linesOf(ofChild.body.trace.rootSpan)).toEqual(linesOf(body.trace.rootSpan));

    const step = await get<SpanResponse>(`${runId}/spans/${spanIdOfOperation(runId, 1, 0)}`);
    expect(step.body).toMatchObject({
      parentId: spanIdOfAttempt(runId, 1),
      message: "charge",
      isError: true,
      error: "declined",
      durationMs: 5,
      entityType: "step",
    });
    const child = await get<SpanResponse>(`${runId}/spans/${childSpan}`);
    expect(child.body.triggeredRuns).toMatchObject([{ runId: childId, taskIdentifier: "child" }]);
    const fetched = await get<SpanResponse>(`${runId}/spans/${inStep.spanId}`);
    expect(fetched.body.properties).toMatchObject({ "http.response.status_code": 402 });
    const { body: logs } = await get<z.infer<typeof RunLogsResponse>>(`${runId}/logs`);
    expect(logs.logs).toMatchObject([{ seq: 1, message: "hello", attempt: 1, spanId: inStep.spanId }]);

    const pages: TracePageResponse[] = [];
    for (let after = ""; ; ) {
      const { body: page } = await get<TracePageResponse>(
        `${runId}/trace?page[size]=3${after && `&page[after]=${after}`}`,
      );
      pages.push(page);
      if (page.pagination.next === undefined) break;
      after = page.pagination.next;
    }
    expect(pages.map(({ data }) => data.length)).toEqual([3, 3, 2]);
    const ids = pages.flatMap(({ data }) => data.map(({ id }) => id));
    expect(new Set(ids).size).toBe(8);
  });

  it("ends spans that its attempt left open, and marks the failed attempt", async () => {
    const runId = await trigger("send");
    const run = await start(runId);
    const { body } = await get<Tree>(`${runId}/trace`);
    const open = span({
      traceId: body.trace.traceId,
      parentSpanId: spanIdOfAttempt(runId, 1),
      name: "open",
      startTime: Date.now(),
      endTime: null,
    });
    await report({
      logs: [{ runId, attempt: 1, apiToken: runTokenOf(runId), entries: [], spans: [open] }],
    });
    const error = { type: "BUILT_IN_ERROR", name: "Error", message: "boom", stackTrace: "" };
    await report({
      completed: [
        {
          runId,
          token: run.token,
          completedAt: Date.now(),
          outcome: { type: "failure", error, retry: null },
        },
      ],
    });
    const { body: page } = await get<TracePageResponse>(`${runId}/trace?page[size]=10`);
    expect(page.data.map(({ message, isError, isPartial }) => [message, isError, isPartial])).toEqual([
      ["send", true, false],
      ["Attempt 1", true, false],
      ["open", true, false],
    ]);
    expect(page.attemptFailures).toEqual([{ spanId: spanIdOfAttempt(runId, 1), attemptNumber: 1, runId }]);
  });

  it("refuses missing runs and spans, and invalid pages", async () => {
    const runId = await trigger("send");
    expect(await get(`${runId}/spans/0123456789abcdef`)).toMatchObject({
      status: 404,
      body: { code: "span_not_found" },
    });
    expect((await get(`${runId}/trace?page[size]=0`)).status).toBe(400);
    expect((await get(`${runId}/logs?level=loud`)).status).toBe(400);
    const other = await newProject();
    for (const path of ["trace", "logs", "spans/0123456789abcdef"])
      expect(await get(`${runId}/${path}`, other.prod)).toMatchObject({ status: 404 });
  });
});
