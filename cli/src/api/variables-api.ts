import { ListVariablesResponse, type VariableObject, VariablesChanged } from "@acme/sdk/contract/api";
import { call } from "./call.ts";

export interface VariablesApi {
  list(): Promise<VariableObject[]>;
  /** Returns the names that were set. Without `override`, variables that exist are not changed. */
  set(
    variables: Record<string, string>,
    options: { override: boolean; isSecret?: boolean },
  ): Promise<string[]>;
  delete(name: string): Promise<void>;
}

/** The environment variables of one environment. Its errors say what to do. */
export function variablesApi(
  { apiUrl, accessToken }: { apiUrl: string; accessToken: string },
  projectRef: string,
  environment: string,
): VariablesApi {
  const access = { apiUrl, token: accessToken };
  const base = `/api/v1/projects/${encodeURIComponent(projectRef)}/envvars/${encodeURIComponent(environment)}`;
  return {
    list: () => call(access, ListVariablesResponse, "GET", base),
    set: async (variables, options) =>
      (await call(access, VariablesChanged, "POST", `${base}/import`, { variables, ...options })).changed,
    delete: async (name) => {
      await call(access, VariablesChanged, "DELETE", `${base}/${encodeURIComponent(name)}`);
    },
  };
}
