import type { ListRunsResponse, RetrieveRunResponse } from "@acme/sdk/contract/api";
import type { RunEvent } from "../api/run-events.ts";

type ListedRun = ListRunsResponse["data"][number];

/** Returns a run in a list, with the fields that distinguish runs. */
export const listedRun = ({
  id,
  taskIdentifier,
  status,
  version,
  createdAt,
  finishedAt,
  durationMs,
  tags,
}: ListedRun) => ({ id, task: taskIdentifier, status, version, createdAt, finishedAt, durationMs, tags });

/** Returns everything about a run except what only browsers need, with the address of its page. */
export function wholeRun(run: RetrieveRunResponse, apiUrl: string) {
  const { relatedRuns, payloadPresignedUrl, outputPresignedUrl, ...facts } = run;
  const { root, parent, children } = relatedRuns;
  return {
    ...facts,
    ...(payloadPresignedUrl ? { payload: "(large; see the run's page)" } : {}),
    ...(outputPresignedUrl ? { output: "(large; see the run's page)" } : {}),
    root: root?.id,
    parent: parent?.id,
    children: children?.map(({ id, taskIdentifier, status }) => ({ id, task: taskIdentifier, status })),
    page: pageOf(run.id, apiUrl),
  };
}

export const pageOf = (id: string, apiUrl: string): string => `${apiUrl}/r/${id}`;

/** Returns one line per entry, like a log. */
export const eventLine = ({ time, level, message, properties }: RunEvent): string =>
  [
    time,
    level ?? "·",
    message,
    properties && Object.keys(properties).length > 0 ? JSON.stringify(properties) : "",
  ]
    .filter(Boolean)
    .join(" ");
