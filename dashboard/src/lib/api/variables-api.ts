import type { VariableObject } from "@acme/sdk/contract/api";
import { request } from "./request.ts";

export type Variable = VariableObject;

const pathOf = (project: string, environment: string): string =>
  `/api/v1/projects/${encodeURIComponent(project)}/envvars/${encodeURIComponent(environment)}`;

export const listVariables = (
  project: string,
  environment: string,
  signal?: AbortSignal,
): Promise<Variable[]> => request(pathOf(project, environment), { signal });

/** Sets all or none; existing ones are replaced. */
export const importVariables = (
  project: string,
  environment: string,
  variables: Record<string, string>,
  isSecret: boolean,
): Promise<{ changed: string[] }> =>
  request(`${pathOf(project, environment)}/import`, {
    method: "POST",
    body: { variables, override: true, isSecret },
  });

export const deleteVariable = (project: string, environment: string, name: string): Promise<unknown> =>
  request(`${pathOf(project, environment)}/${encodeURIComponent(name)}`, { method: "DELETE" });
