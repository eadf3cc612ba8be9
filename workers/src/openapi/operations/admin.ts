import * as api from "@acme/sdk/contract/api";
import type { Operations } from "../operation.ts";

export const ADMIN_OPERATIONS: Operations = {
  "/admin/v1/bootstrap": {
    post: {
      id: "bootstrap",
      summary:
        "Set up a new server: an organization, a project, its environments, keys and an access token. A repeated call creates what is missing",
      body: api.BootstrapBody,
      response: api.BootstrapResponse,
    },
  },
  "/admin/v1/test-mails": {
    post: {
      id: "sendTestMail",
      summary: "Send a test mail",
      body: api.SendTestMailBody,
      response: api.SendTestMailResponse,
    },
  },
  "/admin/v1/sign-in-links": {
    post: {
      id: "createSignInLink",
      summary:
        "Create a link that signs a person in once. Creates the person and their membership if they are missing",
      body: api.CreateSignInLinkBody,
      response: api.CreateSignInLinkResponse,
    },
  },
  "/admin/v1/projects/{ref}/{env}/settings": {
    put: {
      id: "updateEnvironmentSettings",
      summary: "Change an environment's limits and its weight. Absent fields keep their values",
      body: api.EnvironmentSettingsBody,
      response: api.EnvironmentResponse,
    },
  },
  "/admin/v1/organizations": {
    get: {
      id: "listOrganizations",
      summary: "List all organizations with their members, limits and usage",
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
      summary: "Retrieve an organization with the limits and the usage of its environments",
      response: api.OperatorOrganizationDetails,
    },
  },
  "/admin/v1/organizations/{slug}/limits": {
    put: {
      id: "setOrganizationLimits",
      summary:
        "Set an organization's weight, and how many runs each of its environments may execute at once. Absent fields keep their values",
      body: api.OrganizationLimitsBody,
      response: api.OrganizationLimitsResponse,
    },
  },
  "/admin/v1/rebuild": {
    post: {
      id: "rebuildQuerySide",
      summary:
        "Make all queues send their runs to the query side again. A repeated call with the same id continues the rebuild and returns its progress",
      body: api.RebuildBody,
      response: api.RebuildResponse,
    },
  },
  "/admin/v1/audit": {
    get: {
      id: "listOperatorAudit",
      summary: "List the audit log of the server as a whole, or of one organization, newest first",
      query: api.OperatorAuditQuery,
      response: api.ListAuditResponse,
    },
  },
};
