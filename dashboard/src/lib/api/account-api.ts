import type {
  LinkedAccount,
  PasskeyObject,
  RecentPayload,
  SessionObject,
  SignInMethods,
} from "@acme/sdk/contract/api";
import { request } from "./request.ts";

export type { PasskeyObject as Passkey, SessionObject as Session } from "@acme/sdk/contract/api";
export type Methods = ReturnType<(typeof SignInMethods)["parse"]>;
export type Provider = LinkedAccount["provider"];

interface List<T> {
  data: T[];
}

/** Returns the ways to sign in to this server. */
export const fetchMethods = (signal?: AbortSignal): Promise<Methods> =>
  request<Methods>("/api/v1/sign-in-methods", { signal });

/**
 * Returns the address at which to sign in with another provider, which then sends the browser back to `next`.
 */
export async function addressAt(provider: Provider, next: string): Promise<string> {
  const body = { provider, callbackURL: next, errorCallbackURL: "/sign-in" };
  return (await request<{ url: string }>("/api/auth/sign-in/social", { method: "POST", body })).url;
}

/** Does the same to link another provider to the signed-in person. */
export async function linkAddressAt(provider: Provider): Promise<string> {
  const body = { provider, callbackURL: "/account", errorCallbackURL: "/account" };
  return (await request<{ url: string }>("/api/auth/link-social", { method: "POST", body })).url;
}

export const listLinkedAccounts = async (signal?: AbortSignal): Promise<LinkedAccount[]> =>
  (await request<List<LinkedAccount>>("/api/v1/me/linked-accounts", { signal })).data;

export const unlinkAccount = (id: string): Promise<LinkedAccount> =>
  request(`/api/v1/me/linked-accounts/${encodeURIComponent(id)}`, { method: "DELETE" });

export const listPasskeys = async (signal?: AbortSignal): Promise<PasskeyObject[]> =>
  (await request<List<PasskeyObject>>("/api/v1/me/passkeys", { signal })).data;

export const renamePasskey = (id: string, name: string): Promise<PasskeyObject> =>
  request(`/api/v1/me/passkeys/${encodeURIComponent(id)}`, { method: "PUT", body: { name } });

export const deletePasskey = (id: string): Promise<PasskeyObject> =>
  request(`/api/v1/me/passkeys/${encodeURIComponent(id)}`, { method: "DELETE" });

export const listSessions = async (signal?: AbortSignal): Promise<SessionObject[]> =>
  (await request<List<SessionObject>>("/api/v1/me/sessions", { signal })).data;

export const revokeSession = (id: string): Promise<unknown> =>
  request(`/api/v1/me/sessions/${encodeURIComponent(id)}`, { method: "DELETE" });

export const revokeOtherSessions = (): Promise<{ revoked: number }> =>
  request("/api/v1/me/sessions", { method: "DELETE" });

/** Returns the payloads that this person last sent to a task from the dashboard, newest first. */
export const listRecentPayloads = async (
  environment: string,
  task: string,
  signal?: AbortSignal,
): Promise<RecentPayload[]> => {
  const query = new URLSearchParams({ environment, task });
  return (await request<List<RecentPayload>>(`/api/v1/me/recent-payloads?${query}`, { signal })).data;
};

export const addRecentPayload = (environment: string, task: string, payload: string): Promise<unknown> =>
  request("/api/v1/me/recent-payloads", { method: "POST", body: { environment, task, payload } });
