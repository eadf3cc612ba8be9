import * as api from "@acme/sdk/contract/api";
import type { Operations } from "../operation.ts";

export const ADMIN_OPERATIONS: Operations = {
  "/admin/v1/bootstrap": {
    post: {
      id: "bootstrap",
      summary:
        "What a fresh server starts with: an organization, a project, its environments, keys and an access token. Sent again, it creates what is missing",
      body: api.BootstrapBody,
      response: api.BootstrapResponse,
    },
  },
  "/admin/v1/test-mails": {
    post: {
      id: "sendTestMail",
      summary: "Send a mail to see whether mails arrive",
      body: api.SendTestMailBody,
      response: api.SendTestMailResponse,
    },
  },
  "/admin/v1/sign-in-links": {
    post: {
      id: "createSignInLink",
      summary:
        "A link that signs a person in once; makes the person and their membership where they are missing",
      body: api.CreateSignInLinkBody,
      response: api.CreateSignInLinkResponse,
    },
  },
  "/admin/v1/projects/{ref}/{env}/settings": {
    put: {
      id: "updateEnvironmentSettings",
      summary:
        "Change an environment's limits and its weight when hosts are short. Absent fields keep their values",
      body: api.EnvironmentSettingsBody,
      response: api.EnvironmentResponse,
    },
  },
  "/admin/v1/organizations": {
    get: {
      id: "listOrganizations",
      summary: "All organizations with their members, limits and use",
      query: api.ListOrganizationsQuery,
      response: api.OperatorOrganizationsResponse,
    },
    post: {
      id: "addOrganization",
      summary: "Create an organization without members",
      body: api.OperatorCreateOrganizationBody,
      response: api.OperatorOrganization,
      status: 201,
    },
  },
  "/admin/v1/organizations/{slug}": {
    get: {
      id: "inspectOrganization",
      summary: "One organization with the limits and the use of its environments",
      response: api.OperatorOrganizationDetails,
    },
  },
  "/admin/v1/organizations/{slug}/limits": {
    put: {
      id: "setOrganizationLimits",
      summary:
        "Set an organization's share when hosts are short, and how many runs each of its environments may execute at once. Absent fields keep their values",
      body: api.OrganizationLimitsBody,
      response: api.OrganizationLimitsResponse,
    },
  },
  "/admin/v1/rebuild": {
    post: {
      id: "rebuildQuerySide",
      summary:
        "Make all queues send their runs to the query side again. The same id again continues that rebuild and shows its progress",
      body: api.RebuildBody,
      response: api.RebuildResponse,
    },
  },
  "/admin/v1/audit": {
    get: {
      id: "listOperatorAudit",
      summary: "What was done to the server as a whole, or to one organization; newest first",
      query: api.OperatorAuditQuery,
      response: api.ListAuditResponse,
    },
  },
};
