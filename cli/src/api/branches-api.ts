import { ListEnvironmentsResponse, ProjectEnvironment } from "@acme/sdk/contract/api";
import { CliError } from "../errors.ts";
import { type ApiAccess, call } from "./call.ts";

export type BranchParent = "preview" | "dev";

/** The branches of a project, with an access token. */
export function branchesApi(access: ApiAccess, projectRef: string) {
  const base = `/api/v1/projects/${encodeURIComponent(projectRef)}`;
  const of = (parent: BranchParent): string => (parent === "dev" ? "DEVELOPMENT" : "PREVIEW");
  return {
    /** Lists the branches, including archived ones. */
    async list(parent: BranchParent): Promise<ProjectEnvironment[]> {
      const { data } = await call(access, ListEnvironmentsResponse, "GET", `${base}/environments`);
      return data.filter(({ branch, type }) => branch !== null && type === of(parent));
    },
    /** Creates a branch. An existing one is returned, and an archived one is restored. */
    create: (branch: string, parent: BranchParent): Promise<ProjectEnvironment> =>
      call(access, ProjectEnvironment, "POST", `${base}/environments`, { type: "branch", branch, parent }),
    /** The staging or preview environment itself, which a project does not have at first. */
    ensure: (type: "staging" | "preview"): Promise<ProjectEnvironment> =>
      call(access, ProjectEnvironment, "POST", `${base}/environments`, { type }),
    archive: (branch: string, parent: BranchParent): Promise<ProjectEnvironment> =>
      call(access, ProjectEnvironment, "POST", `${base}/branches/archive`, { branch, parent }),
  };
}

/**
 * Returns the same access for a branch of its environment. With an access token the branch is created if it
 * is missing; with a secret key it must exist.
 */
export async function inBranch(access: ApiAccess, parent: BranchParent, branch: string): Promise<ApiAccess> {
  if (access.environment === undefined) return { ...access, branch };
  const [ref = ""] = access.environment.split("/");
  const { slug } = await branchesApi(access, ref).create(branch, parent);
  return { ...access, environment: `${ref}/${slug}` };
}

/**
 * Returns the same access for an existing branch, with an access token. @throws CliError if it does not exist
 */
export async function inOwnBranch(access: ApiAccess, ref: string, branch: string): Promise<ApiAccess> {
  const found = (await branchesApi(access, ref).list("dev")).find((each) => each.branch === branch);
  if (found) return { ...access, environment: `${ref}/${found.slug}` };
  throw new CliError(
    `Your development environment has no branch "${branch}" (ACME_DEV_BRANCH). Create it: acme branches create ${branch} --env dev`,
  );
}
