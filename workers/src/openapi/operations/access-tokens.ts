import * as api from "@acme/sdk/contract/api";
import type { Operations } from "../operation.ts";

export const ACCESS_TOKENS_OPERATIONS: Operations = {
  "/api/v1/me/access-tokens": {
    get: {
      id: "listAccessTokens",
      summary: "List your personal access tokens",
      response: api.ListAccessTokensResponse,
    },
    post: {
      id: "createAccessToken",
      summary: "Create a personal access token for one organization. It is shown only in this response",
      body: api.CreateAccessTokenBody,
      response: api.CreatedAccessToken,
      status: 201,
    },
  },
  "/api/v1/me/access-tokens/{id}": {
    delete: {
      id: "revokeAccessToken",
      summary: "Revoke one of your access tokens",
      response: api.CompleteTokenResponse,
    },
  },
  "/api/v1/access-token": {
    get: {
      id: "getOwnAccessToken",
      summary: "Retrieve the access token that the request is made with",
      response: api.WhoamiResponse,
    },
    delete: {
      id: "revokeOwnAccessToken",
      summary: "Revoke the access token that the request is made with",
      response: api.CompleteTokenResponse,
    },
  },
  "/api/v1/device/code": {
    post: {
      id: "startDeviceLogin",
      summary: "Request an access token that a person then approves in a browser (RFC 8628)",
      body: api.StartDeviceLoginBody,
      optionalBody: true,
      response: api.StartDeviceLoginResponse,
    },
  },
  "/api/v1/device/token": {
    post: {
      id: "pollDeviceLogin",
      summary:
        "Poll for the requested token, which is returned once; before that, the error code is `authorization_pending`, `slow_down`, `access_denied` or `expired_token`",
      body: api.PollDeviceLoginBody,
      response: api.CreatedAccessToken,
    },
  },
  "/api/v1/device/lookup": {
    post: {
      id: "lookUpDeviceLogin",
      summary: "Retrieve the request for a token with this user code",
      body: api.UserCodeBody,
      response: api.DeviceLogin,
    },
  },
  "/api/v1/device/approve": {
    post: {
      id: "approveDeviceLogin",
      summary: "Approve the request with a token for one organization",
      body: api.ApproveDeviceLoginBody,
      response: api.DecidedDeviceLogin,
    },
  },
  "/api/v1/device/deny": {
    post: {
      id: "denyDeviceLogin",
      summary: "Refuse it",
      body: api.UserCodeBody,
      response: api.DecidedDeviceLogin,
    },
  },
};
