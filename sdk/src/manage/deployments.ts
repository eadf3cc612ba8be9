import { ApiPromise } from "../client/api-promise.ts";
import { type CursorPageBody, type CursorPageParams, CursorPagePromise } from "../client/cursor-page.ts";
import { type ApiResponse, request } from "../client/request.ts";
import type { ApiRequestOptions } from "../client/request-options.ts";
import type { DeploymentListItem } from "../contract/api/deployments.ts";

/** A version of an environment's tasks. */
export type DeploymentItem = Omit<DeploymentListItem, "createdAt" | "deployedAt"> & {
  createdAt: Date;
  deployedAt?: Date;
};

export interface ListDeploymentsOptions extends Pick<CursorPageParams, "limit" | "after"> {
  status?: DeploymentListItem["status"];
}

/** JSON has no dates. */
const dated = (item: DeploymentListItem): DeploymentItem => ({
  ...item,
  createdAt: new Date(item.createdAt),
  deployedAt: item.deployedAt ? new Date(item.deployedAt) : undefined,
});

async function fetchCurrent(options: ApiRequestOptions | undefined): Promise<ApiResponse<DeploymentItem>> {
  const call = { method: "GET", path: "/api/v1/deployments/current" } as const;
  const { data, response } = await request<DeploymentListItem>(call, options);
  return { data: dated(data), response };
}

async function fetchPage(
  { status, limit, after }: ListDeploymentsOptions,
  options: ApiRequestOptions | undefined,
): Promise<ApiResponse<CursorPageBody<DeploymentItem>>> {
  const query = new URLSearchParams();
  if (status) query.set("status", status);
  if (limit !== undefined) query.set("page[size]", String(limit));
  if (after) query.set("page[after]", after);
  const text = query.toString();
  const call = { method: "GET", path: `/api/v1/deployments${text ? `?${text}` : ""}` } as const;
  const { data, response } = await request<CursorPageBody<DeploymentListItem>>(call, options);
  return { data: { ...data, data: data.data.map(dated) }, response };
}

/** Lists the deployments of the environment, newest first. Await it for one page, or iterate over all with `for await`. */
function list(
  params: ListDeploymentsOptions = {},
  options?: ApiRequestOptions,
): CursorPagePromise<DeploymentItem> {
  return new CursorPagePromise(fetchPage(params, options), ({ after }) =>
    list({ ...params, after }, options),
  );
}

export const deployments = {
  list,
  /**
   * Returns the deployment that new runs start on. A task can compare its version with `ctx.run.version` to
   * detect a newer one.
   * @throws NotFoundError if nothing is deployed
   */
  retrieveCurrent: (options?: ApiRequestOptions): ApiPromise<DeploymentItem> =>
    new ApiPromise(fetchCurrent(options)),
};
