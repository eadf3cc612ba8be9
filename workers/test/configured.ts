import { createExecutionContext, waitOnExecutionContext } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { app } from "../src/app.ts";
import type { Bindings } from "../src/bindings.ts";
import { anAddress, ORIGIN } from "./person.ts";

/**
 * Makes one request to the Worker with these variables; resolves when work that continues after the response
 * has ended.
 */
export async function request(
  variables: Partial<Bindings>,
  path: string,
  body: unknown,
  headers: Record<string, string> = {},
  method = "POST",
): Promise<Response> {
  const context = createExecutionContext();
  const own = { origin: ORIGIN, "x-test-address": anAddress(), ...headers };
  const init =
    body === undefined
      ? { method, headers: own }
      : { method, headers: { "content-type": "application/json", ...own }, body: JSON.stringify(body) };
  const bindings = { ...env, ...variables };
  const response = await app.fetch(new Request(new URL(path, ORIGIN), init), bindings, context);
  await waitOnExecutionContext(context);
  return response;
}
