import type { OrganizationMember } from "./authenticate-organization.ts";

/** Returns the project that the path names, which `authenticateOrganization` has found. */
export const projectOf = ({ project }: OrganizationMember): NonNullable<OrganizationMember["project"]> => {
  if (!project) throw new Error("The route's path names no project");
  return project;
};
