import type { ApiKeyBody, CreatedApiKey } from "@acme/sdk/contract/api";
import { request } from "./request.ts";

export type SecretKey = ApiKeyBody;
export type NewSecretKey = CreatedApiKey;

/** `environment`: `PROJECTREF/SLUG`. */
const pathOf = (environment: string, rest = ""): string => `/api/v1/projects/${environment}/keys${rest}`;

export const listKeys = async (environment: string, signal?: AbortSignal): Promise<SecretKey[]> =>
  (await request<{ data: SecretKey[] }>(pathOf(environment), { signal })).data;

/** `expiresInSeconds` null: accepted until it is revoked. */
export const createKey = (
  environment: string,
  body: { name: string; expiresInSeconds: number | null },
): Promise<NewSecretKey> => request(pathOf(environment), { method: "POST", body });

export const rotateKey = (
  environment: string,
  id: string,
  body: { overlapSeconds: number; expiresInSeconds: number | null },
): Promise<NewSecretKey> =>
  request(pathOf(environment, `/${encodeURIComponent(id)}/rotate`), { method: "POST", body });

export const revokeKey = (environment: string, id: string): Promise<unknown> =>
  request(pathOf(environment, `/${encodeURIComponent(id)}`), { method: "DELETE" });
