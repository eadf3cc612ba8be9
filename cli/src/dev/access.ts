import { ProjectEnvironment } from "@acme/sdk/contract/api";
import { environmentAccess } from "../access.ts";
import { type ApiAccess, call, RefusalError } from "../api/call.ts";

interface Whose {
  apiUrl: string | undefined;
  /** Where a local server's `.acme` is looked for. */
  cwd: string;
  /** The project's reference, which an access token needs. */
  project: () => string | Promise<string>;
}

/**
 * The development environment: of the secret key, or, for an access token, the person's own in the project. A token of an
 * organization belongs to nobody, and uses the shared one.
 */
export async function developmentAccess({ apiUrl, cwd, project }: Whose): Promise<ApiAccess> {
  const found = environmentAccess({ apiUrl, environment: "dev", cwd });
  const access: ApiAccess = { apiUrl: found.apiUrl, token: found.token };
  if (found.kind === "secretKey") return access;
  const ref = await project();
  const path = `/api/v1/projects/${encodeURIComponent(ref)}/environments`;
  const own = await call(access, ProjectEnvironment, "POST", path, { type: "dev" }).catch(
    (error: unknown) => {
      if (error instanceof RefusalError && error.code === "person_required") return { slug: "dev" };
      throw error;
    },
  );
  return { ...access, environment: `${ref}/${own.slug}` };
}
