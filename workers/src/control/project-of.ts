import type { OrganizationMember } from "./authenticate-organization.ts";

/** The project that the path names: `authenticateOrganization` has found it. */
export const projectOf = ({ project }: OrganizationMember): NonNullable<OrganizationMember["project"]> => {
  if (!project) throw new Error("The route's path names no project");
  return project;
};
