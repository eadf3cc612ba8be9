import type { EnvironmentRef } from "@acme/durable-objects/rpc";
import { LIMITS, parseRunId } from "@acme/sdk/contract";
import { TriggerBody } from "@acme/sdk/contract/api";
import { Hono } from "hono";
import { type App, authenticate } from "../auth.ts";
import type { Bindings } from "../bindings.ts";
import { readRequiredBody } from "../body.ts";
import { queueObjectOf } from "../objects.ts";
import { checkResumable, operationOf } from "../operation.ts";
import { requestKeyOf } from "../request-key.ts";
import { resultOf, waitOf } from "../run-result.ts";
import { issueToken } from "../tokens.ts";
import { triggerChild, triggerRun } from "../trigger-run.ts";

const PUBLIC_TOKEN_SECONDS = 3_600;

export const triggerRoutes = new Hono<App>().post("/api/v1/tasks/:taskId/trigger", async (c) => {
  const environment = await authenticate(c);
  const waitMs = waitOf(c);
  const body = await readRequiredBody(c, TriggerBody, LIMITS.triggerBodyBytes);
  const operation = operationOf(c, environment);
  checkResumable(operation, body.options?.resumeParentOnCompletion);
  const input = { task: c.req.param("taskId"), body };
  const result = operation
    ? await triggerChild(c.env, environment, operation, input)
    : await triggerRun(c.env, environment, { ...input, requestKey: requestKeyOf(c) });
  // The published client signs such tokens with its secret key; here keys are stored hashed, so the server signs, for
  // those who say that they are that client.
  if (c.req.header("trigger-version") !== undefined) {
    const exp = Math.floor(Date.now() / 1000) + PUBLIC_TOKEN_SECONDS;
    const scopes = [`read:runs:${result.runId}`];
    const token = issueToken({ env: environment.key, kind: "public", scopes, exp }, c.env.SIGNING_KEY);
    c.header("x-trigger-jwt", token);
  }
  const answer = { id: result.runId, isCached: result.cached };
  return c.json(
    waitMs === 0 ? answer : { ...answer, result: await resultWithin(c.env, environment, answer.id, waitMs) },
  );
});

/** Undefined: it isn't over by then. */
async function resultWithin(env: Bindings, environment: EnvironmentRef, runId: string, waitMs: number) {
  const queueKey = parseRunId(runId)?.queueKey as string;
  const finished = await queueObjectOf(env, queueKey).waitForRun(environment.key, runId, waitMs);
  return finished && !("error" in finished) ? resultOf(env, environment.key, finished) : undefined;
}
