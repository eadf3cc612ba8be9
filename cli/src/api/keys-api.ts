import {
  type ApiKeyBody,
  CompleteTokenResponse,
  CreatedApiKey,
  ListApiKeysResponse,
} from "@acme/sdk/contract/api";
import { call } from "./call.ts";

export interface KeysApi {
  /** Lists keys, newest first. */
  list(): Promise<ApiKeyBody[]>;
  /** `expiresInSeconds` null: the key is valid until it is revoked. */
  create(name: string, expiresInSeconds: number | null): Promise<CreatedApiKey>;
  rotate(id: string, overlapSeconds: number, expiresInSeconds: number | null): Promise<CreatedApiKey>;
  revoke(id: string): Promise<void>;
}

/** The secret keys of one environment. Its errors say what to do. */
export function keysApi(
  { apiUrl, accessToken }: { apiUrl: string; accessToken: string },
  projectRef: string,
  environment: string,
): KeysApi {
  const access = { apiUrl, token: accessToken };
  const base = `/api/v1/projects/${encodeURIComponent(projectRef)}/${encodeURIComponent(environment)}/keys`;
  const one = (id: string): string => `${base}/${encodeURIComponent(id)}`;
  return {
    list: async () => (await call(access, ListApiKeysResponse, "GET", base)).data,
    create: (name, expiresInSeconds) => call(access, CreatedApiKey, "POST", base, { name, expiresInSeconds }),
    rotate: (id, overlapSeconds, expiresInSeconds) =>
      call(access, CreatedApiKey, "POST", `${one(id)}/rotate`, { overlapSeconds, expiresInSeconds }),
    revoke: async (id) => {
      await call(access, CompleteTokenResponse, "DELETE", one(id));
    },
  };
}
