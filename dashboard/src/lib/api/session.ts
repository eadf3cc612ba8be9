import type { MeResponse } from "@acme/sdk/contract/api";
import { request } from "./request.ts";

export type Me = MeResponse;
export type OrganizationInfo = Me["organizations"][number];
export type ProjectInfo = OrganizationInfo["projects"][number];
export type EnvironmentInfo = ProjectInfo["environments"][number];
export type Role = OrganizationInfo["role"];

/** Who is signed in and what they may see. */
export async function fetchMe(signal?: AbortSignal): Promise<Me> {
  const me = await request<Me>("/api/v1/me", { signal });
  return {
    ...me,
    organizations: me.organizations.map((organization) => ({
      ...organization,
      projects: organization.projects.map((project) => ({
        ...project,
        environments: project.environments.map((environment) => ({
          ...environment,
          name: environmentName(environment),
        })),
      })),
    })),
  };
}

/** A person's own development environment is told from the one that all share. */
const environmentName = ({ slug, name }: EnvironmentInfo): string =>
  slug.startsWith("dev-") ? `Your ${name.toLowerCase()}` : name;

/** Sends a link that signs in. The server answers alike whether or not there is such a person. */
export const sendSignInLink = (email: string, callbackURL: string): Promise<unknown> =>
  request("/api/auth/sign-in/magic-link", {
    method: "POST",
    body: { email, callbackURL, errorCallbackURL: "/sign-in" },
  });

export const signOut = (): Promise<unknown> => request("/api/auth/sign-out", { method: "POST", body: {} });
