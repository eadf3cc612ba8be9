import * as api from "@acme/sdk/contract/api";
import type { Operations } from "../operation.ts";

export const ORGANIZATIONS_OPERATIONS: Operations = {
  "/api/v1/organizations": {
    post: {
      id: "createOrganization",
      summary: "Create an organization, with the caller as its owner",
      body: api.CreateOrganizationBody,
      response: api.OrganizationObject,
      status: 201,
    },
  },
  "/api/v1/organizations/{organization}": {
    get: {
      id: "getOrganization",
      summary: "Retrieve an organization, by slug or id",
      response: api.OrganizationObject,
    },
    put: {
      id: "updateOrganization",
      summary: "Rename an organization",
      body: api.UpdateOrganizationBody,
      response: api.OrganizationObject,
    },
  },
  "/api/v1/organizations/{organization}/invitations": {
    get: {
      id: "listInvitations",
      summary: "List invitations that can still be accepted, newest first",
      response: api.ListInvitationsResponse,
    },
    post: {
      id: "createInvitation",
      summary: "Invite a person by a link, which is also mailed if the server can",
      body: api.CreateInvitationBody,
      response: api.CreateInvitationResponse,
      status: 201,
    },
  },
  "/api/v1/organizations/{organization}/invitations/{id}": {
    delete: {
      id: "revokeInvitation",
      summary: "Revoke an invitation",
      response: api.InvitationObject,
    },
  },
  "/api/v1/invitations/lookup": {
    post: {
      id: "lookUpInvitation",
      summary: "Retrieve what an invitation's link invites to",
      body: api.InvitationTokenBody,
      response: api.InvitationSummary,
    },
  },
  "/api/v1/invitations/accept": {
    post: {
      id: "acceptInvitation",
      summary: "Accept an invitation",
      body: api.InvitationTokenBody,
      response: api.AcceptInvitationResponse,
    },
  },
  "/api/v1/organizations/{organization}/projects": {
    get: {
      id: "listProjects",
      summary: "List projects",
      response: api.ListProjectsResponse,
    },
    post: {
      id: "createProject",
      summary: "Create a project with a production and a development environment",
      body: api.CreateProjectBody,
      response: api.ProjectObject,
      status: 201,
    },
  },
  "/api/v1/organizations/{organization}/audit": {
    get: {
      id: "listAuditLog",
      summary: "List the audit log, newest first",
      query: api.ListAuditQuery,
      response: api.ListAuditResponse,
    },
  },
  "/api/v1/organizations/{organization}/audit/export": {
    get: {
      id: "exportAuditLog",
      summary: "Export the whole audit log, one JSON object per line",
      query: api.ListAuditQuery,
      download: "application/x-ndjson",
    },
  },
  "/api/v1/projects/{ref}": {
    put: {
      id: "updateProject",
      summary: "Rename a project",
      body: api.UpdateProjectBody,
      response: api.ProjectObject,
    },
    delete: {
      id: "deleteProject",
      summary:
        "Delete a project. It disappears immediately; its runs are canceled and removed in the following minutes",
      response: api.DeletedProject,
    },
  },
  "/api/v1/projects/{ref}/deletion": {
    get: {
      id: "countProjectDeletion",
      summary: "Retrieve what would be deleted with a project",
      response: api.ProjectDeletionCounts,
    },
  },
  "/api/v1/projects/{ref}/environments": {
    get: {
      id: "listProjectEnvironments",
      summary:
        "List environments of a project, archived branches too; of development environments, everybody's and the caller's own",
      response: api.ListEnvironmentsResponse,
    },
    post: {
      id: "createProjectEnvironment",
      summary:
        "Create an environment, a branch, or the caller's own development environment. An existing one is returned",
      body: api.CreateEnvironmentBody,
      response: api.ProjectEnvironment,
    },
  },
  "/api/v1/projects/{ref}/branches/archive": {
    post: {
      id: "archiveBranch",
      summary: "Archive a branch of the preview environment, or of the caller's own development environment",
      body: api.ArchiveBranchBody,
      response: api.ProjectEnvironment,
    },
  },
};
