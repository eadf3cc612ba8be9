import { EventsResponse } from "@acme/sdk/contract/api";
import type { z } from "zod";
import { CliError } from "../errors.ts";
import { causeOf } from "./cause.ts";

export type RunEvent = z.infer<typeof EventsResponse>["events"][number];

/** The timeline and logs of a run, oldest first. @throws CliError */
export async function runEvents(
  access: { apiUrl: string; secretKey: string },
  runId: string,
): Promise<RunEvent[]> {
  const url = `${access.apiUrl}/api/v1/runs/${encodeURIComponent(runId)}/events`;
  let response: Response;
  try {
    response = await fetch(url, { headers: { authorization: `Bearer ${access.secretKey}` } });
  } catch (error) {
    throw new CliError(
      `${access.apiUrl} could not be reached (${causeOf(error)}). Check that the server is running and that ACME_API_URL is correct.`,
    );
  }
  const body: unknown = await response.json().catch(() => undefined);
  const parsed = EventsResponse.safeParse(body);
  if (response.ok && parsed.success) return parsed.data.events;
  const error = (body as { error?: string } | undefined)?.error;
  throw new CliError(error ?? `${access.apiUrl} answered with status ${response.status}.`);
}
