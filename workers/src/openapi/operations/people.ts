import * as api from "@acme/sdk/contract/api";
import type { Operations } from "../operation.ts";

export const PEOPLE_OPERATIONS: Operations = {
  "/api/v1/me/sessions": {
    get: { id: "listSessions", summary: "List one's own sessions", response: api.ListSessionsResponse },
    delete: {
      id: "revokeOtherSessions",
      summary: "Sign out everywhere else",
      response: api.RevokedSessions,
    },
  },
  "/api/v1/me/sessions/{id}": {
    delete: { id: "revokeSession", summary: "Sign a device out", response: api.RevokedSessions },
  },
  "/api/v1/me/linked-accounts": {
    get: {
      id: "listLinkedAccounts",
      summary: "List the accounts of other places that sign one in here",
      response: api.ListLinkedAccountsResponse,
    },
  },
  "/api/v1/me/linked-accounts/{id}": {
    delete: {
      id: "unlinkAccount",
      summary: "Unlink an account of another place, unless nothing else signs one in here",
      response: api.LinkedAccount,
    },
  },
  "/api/v1/me/passkeys": {
    get: { id: "listPasskeys", summary: "List one's own passkeys", response: api.ListPasskeysResponse },
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
      summary: "Delete a passkey: it signs nobody in any more",
      response: api.PasskeyObject,
    },
  },
  "/api/v1/me/preferences": {
    get: {
      id: "getPreferences",
      summary: "What the dashboard remembers of a person",
      response: api.Preferences,
    },
    put: {
      id: "updatePreferences",
      summary: "Change it; what is absent stays",
      body: api.UpdatePreferencesBody,
      response: api.Preferences,
    },
  },
  "/api/v1/me/recent-payloads": {
    get: {
      id: "listRecentPayloads",
      summary: "Payloads that a person tested a task with, newest first",
      query: api.RecentPayloadsQuery,
      response: api.RecentPayloadsResponse,
    },
    post: {
      id: "addRecentPayload",
      summary: "Remember a payload",
      body: api.AddRecentPayloadBody,
      response: api.RecentPayloadsResponse,
    },
  },
  "/api/v1/sign-in-methods": {
    get: { id: "getSignInMethods", summary: "How one may sign in here", response: api.SignInMethods },
  },
  "/api/v1/me": {
    get: {
      id: "getMe",
      summary: "Who is signed in, and what they are a member of",
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
      summary: "Remove a member, or leave",
      response: api.MemberObject,
    },
  },
};
