import { ApiPromise } from "./api-promise.ts";
import { type ApiCall, request } from "./request.ts";
import type { ApiRequestOptions } from "./request-options.ts";

export interface CreateEnvironmentVariableParams {
  /** Letters, digits and _. */
  name: string;
  value: string;
  /** True: the value is never shown again, and is redacted from logs and errors. Default false. */
  isSecret?: boolean;
}

export interface UpdateEnvironmentVariableParams {
  value: string;
}

export interface ImportEnvironmentVariablesParams {
  /** Values by name, such as the contents of a `.env` file. */
  variables: Record<string, string> | { name: string; value: string }[];
  /** Variables that this branch overrides in its parent environment. */
  parentVariables?: Record<string, string>;
  /** True: existing variables are replaced. Default false. */
  override?: boolean;
  isSecret?: boolean;
}

export interface EnvironmentVariable {
  name: string;
  /** `<redacted>` if the variable is secret. */
  value: string;
  isSecret: boolean;
}

export interface EnvironmentVariableResponse {
  success: boolean;
}

/** An environment by its project's ref (`proj_…`) and its slug (`dev`, `staging`, `preview`, `prod`). */
export interface NamedEnvironment {
  projectRef: string;
  slug: string;
}

const pathOf = ({ projectRef, slug }: NamedEnvironment, rest = ""): string =>
  `/api/v1/projects/${encodeURIComponent(projectRef)}/envvars/${encodeURIComponent(slug)}${rest}`;

const nameIn = (name: string): string => `/${encodeURIComponent(name)}`;

const call = <T>(apiCall: ApiCall, options?: ApiRequestOptions): ApiPromise<T> =>
  new ApiPromise(request<T>(apiCall, options));

export const listEnvironmentVariables = (environment: NamedEnvironment, options?: ApiRequestOptions) =>
  call<EnvironmentVariable[]>({ method: "GET", path: pathOf(environment) }, options);

export const getEnvironmentVariable = (
  environment: NamedEnvironment,
  name: string,
  options?: ApiRequestOptions,
) => call<EnvironmentVariable>({ method: "GET", path: pathOf(environment, nameIn(name)) }, options);

export const postEnvironmentVariable = (
  environment: NamedEnvironment,
  body: CreateEnvironmentVariableParams,
  options?: ApiRequestOptions,
) => call<EnvironmentVariableResponse>({ method: "POST", path: pathOf(environment), body }, options);

export const putEnvironmentVariable = (
  environment: NamedEnvironment,
  name: string,
  body: UpdateEnvironmentVariableParams,
  options?: ApiRequestOptions,
) =>
  call<EnvironmentVariableResponse>(
    { method: "PUT", path: pathOf(environment, nameIn(name)), body },
    options,
  );

export const deleteEnvironmentVariable = (
  environment: NamedEnvironment,
  name: string,
  options?: ApiRequestOptions,
) =>
  call<EnvironmentVariableResponse>({ method: "DELETE", path: pathOf(environment, nameIn(name)) }, options);

export function importEnvironmentVariables(
  environment: NamedEnvironment,
  { variables, ...rest }: ImportEnvironmentVariablesParams,
  options?: ApiRequestOptions,
): ApiPromise<EnvironmentVariableResponse> {
  const byName = Array.isArray(variables)
    ? Object.fromEntries(variables.map(({ name, value }) => [name, value]))
    : variables;
  const body = { variables: byName, ...rest };
  return call({ method: "POST", path: pathOf(environment, "/import"), body }, options);
}
