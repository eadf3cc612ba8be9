import { ListProjectsResponse } from "@acme/sdk/contract/api";
import { localServer, projectAccess } from "../access.ts";
import { whoami } from "../api/access-tokens-api.ts";
import { call } from "../api/call.ts";
import { CliError } from "../errors.ts";

export interface KnownProject {
  ref: string;
  name: string;
}

/**
 * Returns the projects that a new configuration can name: the one of the server on this machine, or all
 * of the organization of the login; none if nobody is logged in.
 */
export async function knownProjects(cwd: string, apiUrl: string | undefined): Promise<KnownProject[]> {
  let access: ReturnType<typeof projectAccess>;
  try {
    access = projectAccess({ apiUrl, cwd });
  } catch (error) {
    if (error instanceof CliError) return [];
    throw error;
  }
  const local = localServer(cwd);
  if (local?.apiUrl === access.apiUrl && local.accessToken === access.accessToken)
    return [{ ref: local.projectRef, name: "of the server on this machine" }];
  const caller = { apiUrl: access.apiUrl, token: access.accessToken };
  const { organization } = await whoami(caller);
  const path = `/api/v1/organizations/${encodeURIComponent(organization.slug)}/projects`;
  const { data } = await call(caller, ListProjectsResponse, "GET", path);
  return data.map(({ ref, name }) => ({ ref, name }));
}
