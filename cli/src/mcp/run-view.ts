import type { ListRunsResponse, RetrieveRunResponse } from "@acme/sdk/contract/api";
import type { RunEvent } from "../api/run-events.ts";

type ListedRun = ListRunsResponse["data"][number];

/** A run in a list: what tells one from another. */
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

/** Everything about a run, without what only browsers need, and with the address of its page. */
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

/** One line for each entry, as a log is read. */
export const eventLine = ({ time, level, message, properties }: RunEvent): string =>
  [
    time,
    level ?? "·",
    message,
    properties && Object.keys(properties).length > 0 ? JSON.stringify(properties) : "",
  ]
    .filter(Boolean)
    .join(" ");
