import type { ApiAccess } from "../api/call.ts";
import { type ProjectApi, projectApi } from "../api/project-api.ts";
import { namedAccess, namedProjectAccess } from "../dev/access.ts";
import { projectRefOf } from "../project/project-ref.ts";

export interface McpOptions {
  /** The project's folder. */
  dir: string;
  /** The environment for tools that are called without one. */
  env: string;
  /** True: tools can act only on `env`. */
  onlyEnv: boolean;
  /** True: there are only tools that change nothing. */
  readOnly: boolean;
  projectRef?: string;
  apiUrl?: string;
}

/** The access data for tools, resolved for each call, because a login or a server may be added later. */
export interface McpContext {
  options: McpOptions;
  /** @throws CliError that says how to get access */
  environment(slug: string): Promise<ApiAccess>;
  /** For tools that need an access token. @throws CliError that says how to get one */
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
