import type { MeResponse } from "@acme/sdk/contract/api";
import { request } from "./request.ts";

export type Me = MeResponse;
export type OrganizationInfo = Me["organizations"][number];
export type ProjectInfo = OrganizationInfo["projects"][number];
export type EnvironmentInfo = ProjectInfo["environments"][number];
export type Role = OrganizationInfo["role"];

/** The signed-in person and what they may see. */
export const fetchMe = (signal?: AbortSignal): Promise<Me> => request<Me>("/api/v1/me", { signal });

/** Sends a sign-in link. The server's response does not reveal whether there is such a person. */
export const sendSignInLink = (email: string, callbackURL: string): Promise<unknown> =>
  request("/api/auth/sign-in/magic-link", {
    method: "POST",
    body: { email, callbackURL, errorCallbackURL: "/sign-in" },
  });

export const signOut = (): Promise<unknown> => request("/api/auth/sign-out", { method: "POST", body: {} });
