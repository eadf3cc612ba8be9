import * as api from "@acme/sdk/contract/api";
import type { Operations } from "../operation.ts";

export const PEOPLE_OPERATIONS: Operations = {
  "/api/v1/me/sessions": {
    get: { id: "listSessions", summary: "List your sessions", response: api.ListSessionsResponse },
    delete: {
      id: "revokeOtherSessions",
      summary: "Revoke all of your other sessions",
      response: api.RevokedSessions,
    },
  },
  "/api/v1/me/sessions/{id}": {
    delete: { id: "revokeSession", summary: "Revoke one of your sessions", response: api.RevokedSessions },
  },
  "/api/v1/me/linked-accounts": {
    get: {
      id: "listLinkedAccounts",
      summary: "List your accounts at other identity providers",
      response: api.ListLinkedAccountsResponse,
    },
  },
  "/api/v1/me/linked-accounts/{id}": {
    delete: {
      id: "unlinkAccount",
      summary: "Unlink an account at another identity provider, unless it is your last way to sign in",
      response: api.LinkedAccount,
    },
  },
  "/api/v1/me/passkeys": {
    get: { id: "listPasskeys", summary: "List your passkeys", response: api.ListPasskeysResponse },
  },
  "/api/v1/me/passkeys/{id}": {
    put: {
      id: "renamePasskey",
      summary: "Rename a passkey",
      body: api.RenamePasskeyBody,
      response: api.PasskeyObject,
    },
    delete: {
      id: "deletePasskey",
      summary: "Delete a passkey",
      response: api.PasskeyObject,
    },
  },
  "/api/v1/me/preferences": {
    get: {
      id: "getPreferences",
      summary: "Retrieve your dashboard preferences",
      response: api.Preferences,
    },
    put: {
      id: "updatePreferences",
      summary: "Change your dashboard preferences. Absent fields keep their values",
      body: api.UpdatePreferencesBody,
      response: api.Preferences,
    },
  },
  "/api/v1/me/recent-payloads": {
    get: {
      id: "listRecentPayloads",
      summary: "List payloads with which you tested a task, newest first",
      query: api.RecentPayloadsQuery,
      response: api.RecentPayloadsResponse,
    },
    post: {
      id: "addRecentPayload",
      summary: "Store a test payload",
      body: api.AddRecentPayloadBody,
      response: api.RecentPayloadsResponse,
    },
  },
  "/api/v1/sign-in-methods": {
    get: {
      id: "getSignInMethods",
      summary: "List the ways to sign in to this server",
      response: api.SignInMethods,
    },
  },
  "/api/v1/me": {
    get: {
      id: "getMe",
      summary: "Retrieve the signed-in person with their memberships",
      response: api.MeResponse,
    },
  },
  "/api/v1/organizations/{organization}/members": {
    get: {
      id: "listMembers",
      summary: "List members",
      response: api.ListMembersResponse,
    },
  },
  "/api/v1/organizations/{organization}/members/{userId}": {
    put: {
      id: "changeMemberRole",
      summary: "Change a member's role",
      body: api.ChangeRoleBody,
      response: api.MemberObject,
    },
    delete: {
      id: "removeMember",
      summary: "Remove a member, or leave the organization",
      response: api.MemberObject,
    },
  },
};
