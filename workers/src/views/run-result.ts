import type { RunFinished } from "@acme/durable-objects/rpc";
import { ResultQuery, type ResultResponse } from "@acme/sdk/contract/api";
import type { Context } from "hono";
import type { z } from "zod";
import type { App, Bindings } from "../bindings.ts";
import { invalid } from "../http/failure.ts";
import { shownPacket } from "./packet-view.ts";

/**
 * Returns the milliseconds that the request waits for the run's end, 0 by default. Throws a 400 for an
 * invalid `wait`.
 */
export function waitOf(c: Context<App>): number {
  if (c.req.query("wait") === undefined) return 0;
  const query = ResultQuery.safeParse(c.req.query());
  if (!query.success) throw invalid(query.error);
  return (query.data.wait ?? 0) * 1000;
}

/** Returns the result of a finished run, including an output from the blob store. */
export async function resultOf(
  env: Bindings,
  environmentKey: string,
  { runId, task, usageMs, result }: RunFinished,
): Promise<z.infer<typeof ResultResponse>> {
  const base = { id: runId, taskIdentifier: task, usage: { durationMs: usageMs } };
  if (!result.ok) return { ok: false, ...base, error: result.error };
  if (result.output === null || result.output === undefined)
    return { ok: true, ...base, outputType: "text/plain" };
  const output = await shownPacket(env, environmentKey, {
    text: result.output,
    type: result.outputType ?? "application/json",
  });
  return { ok: true, ...base, output: output.text, outputType: output.type };
}
