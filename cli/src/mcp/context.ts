import type { ApiAccess } from "../api/call.ts";
import { type ProjectApi, projectApi } from "../api/project-api.ts";
import { namedAccess, namedProjectAccess } from "../dev/access.ts";
import { projectRefOf } from "../project/project-ref.ts";

export interface McpOptions {
  /** The project's folder. */
  dir: string;
  /** The environment of tools that are called without one. */
  env: string;
  /** Tools act on no other environment than `env`. */
  onlyEnv: boolean;
  /** There are no tools that change something. */
  readOnly: boolean;
  projectRef?: string;
  apiUrl?: string;
}

/** What the tools are called with: found again for each call, because a login or a server may come later. */
export interface McpContext {
  options: McpOptions;
  /** @throws CliError that says how to get access */
  environment(slug: string): Promise<ApiAccess>;
  /** For what takes an access token. @throws CliError that says how to get one */
  project(slug: string): Promise<{ ref: string; environment: string; access: ApiAccess; api: ProjectApi }>;
}

export function mcpContext(options: McpOptions): McpContext {
  const { apiUrl, dir: cwd } = options;
  const whose = { apiUrl, cwd, project: () => projectRefOf(options.projectRef, cwd) };
  return {
    options,
    environment: (slug) => namedAccess(slug, whose),
    async project(name) {
      const { access, ref, slug } = await namedProjectAccess(name, whose);
      return {
        ref,
        environment: slug,
        access: { apiUrl: access.apiUrl, token: access.accessToken },
        api: projectApi(access, ref, slug),
      };
    },
  };
}
