import * as api from "@acme/sdk/contract/api";
import type { Operations } from "../operation.ts";

export const KEYS_OPERATIONS: Operations = {
  "/api/v1/projects/{ref}/{env}/keys": {
    get: { id: "listKeys", summary: "List an environment's secret keys", response: api.ListApiKeysResponse },
    post: {
      id: "createKey",
      summary: "Create a secret key. It is shown only in this response",
      body: api.CreateApiKeyBody,
      optionalBody: true,
      response: api.CreatedApiKey,
      status: 201,
    },
  },
  "/api/v1/projects/{ref}/{env}/keys/{id}/rotate": {
    post: {
      id: "rotateKey",
      summary: "Replace a secret key. The old one stays valid for an overlap",
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
      summary: "Create a public token, which can be given to a browser",
      body: api.CreatePublicTokenBody,
      response: api.PublicTokenResponse,
    },
  },
  "/api/v1/auth/jwt/claims": {
    post: {
      id: "createTokenClaims",
      summary: "Retrieve the claims for public tokens that a client signs with its secret key",
      response: api.TokenClaimsResponse,
    },
  },
};
