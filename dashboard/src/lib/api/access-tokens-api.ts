import type {
  AccessTokenObject,
  CreateAccessTokenBody,
  CreatedAccessToken,
  DeviceLogin,
  TokenScope,
} from "@acme/sdk/contract/api";
import type { z } from "zod";
import { request } from "./request.ts";

export type AccessToken = AccessTokenObject;
export type NewAccessToken = CreatedAccessToken;
export type Scope = TokenScope;
export type { DeviceLogin };

const OWN = "/api/v1/me/access-tokens";

/** The person's own tokens. */
export const listAccessTokens = async (signal?: AbortSignal): Promise<AccessToken[]> =>
  (await request<{ data: AccessToken[] }>(OWN, { signal })).data;

export const createAccessToken = (body: z.input<typeof CreateAccessTokenBody>): Promise<NewAccessToken> =>
  request(OWN, { method: "POST", body });

export const revokeAccessToken = (id: string): Promise<unknown> =>
  request(`${OWN}/${encodeURIComponent(id)}`, { method: "DELETE" });

/** Returns the pending login with this code. */
export const lookUpDeviceLogin = (userCode: string, signal?: AbortSignal): Promise<DeviceLogin> =>
  request("/api/v1/device/lookup", { method: "POST", body: { userCode }, signal });

export const approveDeviceLogin = (
  userCode: string,
  organization: string,
  scopes: readonly Scope[],
): Promise<unknown> =>
  request("/api/v1/device/approve", { method: "POST", body: { userCode, organization, scopes } });

export const denyDeviceLogin = (userCode: string): Promise<unknown> =>
  request("/api/v1/device/deny", { method: "POST", body: { userCode } });
