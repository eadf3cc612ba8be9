import { request } from "../client/request.ts";
import type { ApiRequestOptions } from "../client/request-options.ts";

type OneOrMany = string | string[];

/** What a token may read. `true`: everything of that kind. */
export interface ReadScopes {
  tasks?: OneOrMany | true;
  tags?: OneOrMany | true;
  runs?: OneOrMany | true;
  batch?: OneOrMany | true;
}

export interface WriteScopes {
  tasks?: OneOrMany | true;
  waitpoints?: OneOrMany | true;
  batch?: OneOrMany | true;
}

/** What a token may trigger. */
export interface TaskScopes {
  tasks?: OneOrMany | true;
}

export interface CreatePublicTokenOptions {
  scopes?: { read?: ReadScopes; write?: WriteScopes; trigger?: TaskScopes; batchTrigger?: TaskScopes };
  /** A duration such as `"1h"`, the end, or the end in seconds since the epoch. Default: 15 minutes. */
  expirationTime?: string | number | Date;
  realtime?: { skipColumns?: string[] };
}

export interface CreateTriggerTokenOptions
  extends Pick<CreatePublicTokenOptions, "expirationTime" | "realtime"> {
  /** Whether the token may be used more than once. Default: false. */
  multipleUse?: boolean;
}

/** `{ read: { runs: ["run_1"] } }` → `["read:runs:run_1"]`. */
export const flattenScopes = (scopes: NonNullable<CreatePublicTokenOptions["scopes"]>): string[] =>
  Object.entries(scopes).flatMap(([action, types]) =>
    Object.entries((types ?? {}) as Record<string, OneOrMany | boolean | undefined>).flatMap(
      ([type, ids]) => {
        if (ids === undefined || ids === false) return [];
        if (ids === true) return [`${action}:${type}`];
        return [ids].flat().map((id) => `${action}:${type}:${id}`);
      },
    ),
  );

interface TokenBody {
  scopes: string[];
  expirationTime?: string | number | Date;
  oneTimeUse?: boolean;
  realtime?: { skipColumns?: string[] };
}

async function issue(body: TokenBody, options: ApiRequestOptions | undefined): Promise<string> {
  if (body.scopes.length === 0)
    throw new TypeError(
      'A token without scopes allows nothing: give at least one, such as { read: { runs: ["run_…"] } }',
    );
  const { expirationTime } = body;
  const end = expirationTime instanceof Date ? Math.floor(expirationTime.getTime() / 1000) : expirationTime;
  const call = {
    method: "POST",
    path: "/api/v1/auth/public-tokens",
    body: { ...body, expirationTime: end },
  } as const;
  return (await request<{ token: string }>(call, options)).data.token;
}

/** Creates a token that can be given to a browser. It allows only what its scopes name. */
export const createPublicToken = (
  { scopes = {}, expirationTime, realtime }: CreatePublicTokenOptions = {},
  options?: ApiRequestOptions,
): Promise<string> => issue({ scopes: flattenScopes(scopes), expirationTime, realtime }, options);

/** Creates a token that can trigger one run of these tasks. */
export const createTriggerPublicToken = (
  task: OneOrMany,
  { multipleUse = false, ...more }: CreateTriggerTokenOptions = {},
  options?: ApiRequestOptions,
): Promise<string> =>
  issue({ scopes: flattenScopes({ trigger: { tasks: task } }), oneTimeUse: !multipleUse, ...more }, options);

/** Creates a token that can trigger one batch of these tasks. */
export const createBatchTriggerPublicToken = (
  task: OneOrMany,
  { multipleUse = false, ...more }: CreateTriggerTokenOptions = {},
  options?: ApiRequestOptions,
): Promise<string> =>
  issue(
    {
      scopes: flattenScopes({ batchTrigger: { tasks: task } }),
      oneTimeUse: !multipleUse,
      ...more,
    },
    options,
  );
