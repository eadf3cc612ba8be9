import { LEAST_ROLE, mayAs, type OperationOfRole } from "@acme/sdk/contract/roles";
import { createContext } from "svelte";
import { EnvironmentApi } from "../api/environment-api.ts";
import type { EnvironmentInfo, Me, OrganizationInfo, ProjectInfo } from "../api/session.ts";

/** The environment that the address names, to which everything below the frame belongs. */
export interface EnvironmentScope {
  me: Me;
  organization: OrganizationInfo;
  project: ProjectInfo;
  environment: EnvironmentInfo;
  api: EnvironmentApi;
  /** `/orgs/ORG/projects/PROJECT/env/ENV`. */
  base: string;
  /**
   * Whether the API lets the person do an operation, by its own table of roles. A control that leads to an operation is
   * shown only then, and declares it as `data-operation`.
   */
  may(operation: OperationOfRole): boolean;
}

export const [getScope, setScope] = createContext<() => EnvironmentScope>();

export const basePath = (organization: string, project: string, environment: string): string =>
  `/orgs/${encodeURIComponent(organization)}/projects/${encodeURIComponent(project)}/env/${encodeURIComponent(environment)}`;

/** Returns null if this person has no such environment. */
export function scopeOf(
  me: Me,
  params: { org?: string; project?: string; env?: string },
): EnvironmentScope | null {
  const organization = me.organizations.find(({ slug }) => slug === params.org);
  const project = organization?.projects.find(({ ref }) => ref === params.project);
  const environment = project?.environments.find(({ slug }) => slug === params.env);
  if (!organization || !project || !environment) return null;
  return {
    me,
    organization,
    project,
    environment,
    api: new EnvironmentApi(environment.id, `${project.ref}/${environment.slug}`),
    base: basePath(organization.slug, project.ref, environment.slug),
    may: (operation) => mayAs(organization.role, LEAST_ROLE[operation]),
  };
}

const LAST = "acme:last-environment";

export function rememberScope(scope: EnvironmentScope): void {
  try {
    localStorage.setItem(LAST, scope.base);
  } catch {
    // A private window may refuse storage; then the first environment is opened next time.
  }
}

/** Returns the target of `/`: the last open environment, or production of the first project. */
export function homeOf(me: Me): string | null {
  const all = me.organizations.flatMap((organization) =>
    organization.projects.flatMap((project) =>
      project.environments.map((environment) => ({
        path: basePath(organization.slug, project.ref, environment.slug),
        slug: environment.slug,
      })),
    ),
  );
  let last: string | null = null;
  try {
    last = localStorage.getItem(LAST);
  } catch {
    // As above.
  }
  return (
    all.find(({ path }) => path === last)?.path ??
    all.find(({ slug }) => slug === "prod")?.path ??
    all[0]?.path ??
    null
  );
}
