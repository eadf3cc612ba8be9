import type { RelatedRunDetails, RetrievedRun } from "../manage/run-types.ts";
import { request } from "./request.ts";
import type { ApiRequestOptions } from "./request-options.ts";
import { download, runPath, withDates } from "./runs-api.ts";

type AnyRun = RetrievedRun<string, unknown, unknown>;

/** Returns a run with its payload and output; large ones are downloaded. */
export async function retrieveRun(id: string, options: ApiRequestOptions | undefined) {
  const { data, response } = await request<AnyRun>({ method: "GET", path: runPath("v3", id) }, options);
  const run = withRelatedDates(data);
  const [payload, output] = await Promise.all([
    run.payloadPresignedUrl && download(run.payloadPresignedUrl, options?.signal),
    run.outputPresignedUrl && download(run.outputPresignedUrl, options?.signal),
  ]);
  if (run.payloadPresignedUrl) run.payload = payload;
  if (run.outputPresignedUrl) run.output = output;
  return { data: run, response };
}

export function withRelatedDates(body: AnyRun): AnyRun {
  const run = withDates(body);
  const { root, parent, children } = body.relatedRuns ?? {};
  const dated = (related: RelatedRunDetails | undefined) => (related ? withDates(related) : undefined);
  run.relatedRuns = { root: dated(root), parent: dated(parent), children: children?.map(withDates) };
  return run;
}
