import { EventsResponse } from "@acme/sdk/contract/api";
import type { z } from "zod";
import { call } from "./call.ts";

export type RunEvent = z.infer<typeof EventsResponse>["events"][number];

/** Returns the timeline and the logs of a run, oldest first. @throws CliError */
export async function runEvents(
  { apiUrl, secretKey }: { apiUrl: string; secretKey: string },
  runId: string,
): Promise<RunEvent[]> {
  const path = `/api/v1/runs/${encodeURIComponent(runId)}/events`;
  return (await call({ apiUrl, token: secretKey }, EventsResponse, "GET", path)).events;
}
