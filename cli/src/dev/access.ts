import { ListEnvironmentsResponse, ProjectEnvironment } from "@acme/sdk/contract/api";
import { devBranch, environmentAccess, projectAccess } from "../access.ts";
import { inOwnBranch } from "../api/branches-api.ts";
import { type ApiAccess, call, RefusalError } from "../api/call.ts";

interface Whose {
  apiUrl: string | undefined;
  /** The folder in which a local server's `.acme` is looked for. */
  cwd?: string;
  /** The project's reference, which an access token needs. */
  project: () => string | Promise<string>;
  /**
   * The branch of the environment that the caller will use. Default: for `dev`, the one that ACME_DEV_BRANCH
   * names.
   */
  branch?: string;
}

/**
 * Returns the server and the credential for calls about an environment. `dev` is the development environment
 * of the secret key or, with an access token, the person's own in the project.
 * @throws CliError that says what to do
 */
export async function namedAccess(
  environment: string,
  { apiUrl, branch, cwd, project }: Whose,
): Promise<ApiAccess> {
  const { kind, ...access } = environmentAccess({ apiUrl, branch, environment, cwd });
  if (kind === "secretKey") return access;
  const ref = await project();
  const named = devBranch();
  if (environment === "dev" && branch === undefined && named) return inOwnBranch(access, ref, named);
  return { ...access, environment: `${ref}/${await slugOf(environment, access, ref)}` };
}

/** Returns the same for operations that need an access token, where the API path names the environment. */
export async function namedProjectAccess(
  environment: string,
  { apiUrl, cwd, project }: Whose,
): Promise<{ access: { apiUrl: string; accessToken: string }; ref: string; slug: string }> {
  const access = projectAccess({ apiUrl, cwd });
  const ref = await project();
  const slug = await slugOf(environment, { apiUrl: access.apiUrl, token: access.accessToken }, ref);
  return { access, ref, slug };
}

/**
 * Returns the slug of the environment that a person means by this name. `dev` is their own, which the first
 * request creates. An organization's token belongs to nobody, and a viewer can't create an environment: both
 * use the shared one.
 */
export async function slugOf(environment: string, access: ApiAccess, ref: string): Promise<string> {
  if (environment !== "dev") return environment;
  const path = `/api/v1/projects/${encodeURIComponent(ref)}/environments`;
  const refused = (error: unknown): null => {
    if (error instanceof RefusalError && error.status === 403) return null;
    throw error;
  };
  const own = await call(access, ProjectEnvironment, "POST", path, { type: "dev" }).catch(refused);
  if (own) return own.slug;
  const listed = await call(access, ListEnvironmentsResponse, "GET", path).catch(refused);
  return listed?.data.find(({ branch, userId }) => userId !== null && branch === null)?.slug ?? environment;
}
