import { request } from "./request.ts";

export type Role = "owner" | "admin" | "developer" | "viewer";

export interface EnvironmentInfo {
  id: string;
  key: string;
  slug: string;
  type: string;
  name: string;
  paused: boolean;
}

export interface ProjectInfo {
  id: string;
  ref: string;
  name: string;
  environments: EnvironmentInfo[];
}

export interface OrganizationInfo {
  id: string;
  slug: string;
  name: string;
  role: Role;
  projects: ProjectInfo[];
}

/** `GET /api/v1/me`: who is signed in and what they may see. */
export interface Me {
  user: { id: string; email: string; name?: string | null; image?: string | null };
  organizations: OrganizationInfo[];
}

export const fetchMe = (signal?: AbortSignal): Promise<Me> => request<Me>("/api/v1/me", { signal });

/** Sends a link that signs in. The server answers alike whether or not there is such a person. */
export const sendSignInLink = (email: string, callbackURL: string): Promise<unknown> =>
  request("/api/auth/sign-in/magic-link", { method: "POST", body: { email, callbackURL } });

export const signOut = (): Promise<unknown> => request("/api/auth/sign-out", { method: "POST", body: {} });
