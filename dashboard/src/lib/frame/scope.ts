import { createContext } from "svelte";
import { EnvironmentApi } from "../api/environment-api.ts";
import type { EnvironmentInfo, Me, OrganizationInfo, ProjectInfo, Role } from "../api/session.ts";

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
   * Whether the person may change runs, queues, schedules and deployments. A viewer sees no button that would
   * be refused.
   */
  canWrite: boolean;
  /** Whether the person may configure environments and members. */
  isAdmin: boolean;
}

export const [getScope, setScope] = createContext<() => EnvironmentScope>();

const RANK: Readonly<Record<Role, number>> = { viewer: 0, developer: 1, admin: 2, owner: 3 };

/** Decided by the API's table of roles. */
export const mayAs = (role: Role, least: Role): boolean => RANK[role] >= RANK[least];

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
    canWrite: mayAs(organization.role, "developer"),
    isAdmin: mayAs(organization.role, "admin"),
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
