import type { EventsResponse } from "@acme/sdk/contract/api";
import type { LocalAccess } from "@acme/server";
import type { z } from "zod";

type Events = z.infer<typeof EventsResponse>["events"];

/** A run's timeline, as the API returns it. */
export async function eventsOf(server: LocalAccess, runId: string): Promise<Events> {
  const response = await fetch(`${server.apiUrl}/api/v1/runs/${runId}/events`, {
    headers: { authorization: `Bearer ${server.secretKey}` },
  });
  if (!response.ok) throw new Error(await response.text());
  return ((await response.json()) as { events: Events }).events;
}
