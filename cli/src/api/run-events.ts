import { EventsResponse } from "@acme/sdk/contract/api";
import type { z } from "zod";
import { type ApiAccess, call } from "./call.ts";

export type RunEvent = z.infer<typeof EventsResponse>["events"][number];

/** Returns the timeline and the logs of a run, oldest first. @throws CliError */
export async function runEvents(access: ApiAccess, runId: string): Promise<RunEvent[]> {
  const path = `/api/v1/runs/${encodeURIComponent(runId)}/events`;
  return (await call(access, EventsResponse, "GET", path)).events;
}
