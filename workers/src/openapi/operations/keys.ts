import * as api from "@acme/sdk/contract/api";
import type { Operations } from "../operation.ts";

export const KEYS_OPERATIONS: Operations = {
  "/api/v1/projects/{ref}/{env}/keys": {
    get: { id: "listKeys", summary: "List an environment's secret keys", response: api.ListApiKeysResponse },
    post: {
      id: "createKey",
      summary: "Create a secret key, which is shown this once",
      body: api.CreateApiKeyBody,
      optionalBody: true,
      response: api.CreatedApiKey,
      status: 201,
    },
  },
  "/api/v1/projects/{ref}/{env}/keys/{id}/rotate": {
    post: {
      id: "rotateKey",
      summary: "Replace a secret key; the former one is accepted for a while",
      body: api.RotateApiKeyBody,
      optionalBody: true,
      response: api.CreatedApiKey,
      status: 201,
    },
  },
  "/api/v1/projects/{ref}/{env}/keys/{id}": {
    delete: { id: "revokeKey", summary: "Revoke a secret key", response: api.CompleteTokenResponse },
  },
  "/api/v1/auth/public-tokens": {
    post: {
      id: "createPublicToken",
      summary: "Create a public token, which may be handed to a browser",
      body: api.CreatePublicTokenBody,
      response: api.PublicTokenResponse,
    },
  },
  "/api/v1/auth/jwt/claims": {
    post: {
      id: "createTokenClaims",
      summary: "What a client puts into public tokens that it signs with its secret key",
      response: api.TokenClaimsResponse,
    },
  },
};
