import {
  ArchiveBranchBody,
  ChangeRoleBody,
  CreateEnvironmentBody,
  CreateInvitationBody,
  CreateOrganizationBody,
  CreateProjectBody,
  InvitationTokenBody,
  ListAuditQuery,
  UpdateOrganizationBody,
  UpdateProjectBody,
} from "@acme/sdk/contract/api";
import { type Context, Hono } from "hono";
import { access } from "../auth/middleware.ts";
import type { App } from "../bindings.ts";
import { exportAudit, listAudit } from "../control/audit-list.ts";
import { deletionCounts } from "../control/deletion/counts.ts";
import { archiveBranch, createEnvironment, listEnvironments } from "../control/environments.ts";
import {
  acceptInvitation,
  createInvitation,
  invitationSummary,
  listInvitations,
  revokeInvitation,
} from "../control/invitations.ts";
import { changeRole, listMembers, removeMember } from "../control/members.ts";
import { createOrganization, organizationObject, renameOrganization } from "../control/organizations.ts";
import { createProject, deleteProject, listProjects, renameProject } from "../control/projects.ts";
import { readRequiredBody } from "../http/body.ts";
import { invalid } from "../http/failure.ts";
import { openSql } from "../storage/sql-connection.ts";

const ORGANIZATION = "/api/v1/organizations/:organization";
const PROJECT = "/api/v1/projects/:ref";

/** Routes for organizations, their members, projects and environments, and the audit log. */
export const organizationRoutes = new Hono<App>()
  .post("/api/v1/organizations", access("createOrganization"), async (c) =>
    c.json(await createOrganization(c, await readRequiredBody(c, CreateOrganizationBody)), 201),
  )
  .get(ORGANIZATION, access("getOrganization"), async (c) => {
    const { organization, role } = c.var.member;
    return c.json(await organizationObject(c, organization.id, role));
  })
  .put(ORGANIZATION, access("updateOrganization"), async (c) => {
    const { name } = await readRequiredBody(c, UpdateOrganizationBody);
    return c.json(await renameOrganization(c, name));
  })
  .get(`${ORGANIZATION}/members`, access("listMembers"), async (c) => c.json({ data: await listMembers(c) }))
  .put(`${ORGANIZATION}/members/:userId`, access("changeMemberRole"), async (c) => {
    const { role } = await readRequiredBody(c, ChangeRoleBody);
    return c.json(await changeRole(c, c.req.param("userId"), role));
  })
  .delete(`${ORGANIZATION}/members/:userId`, access("removeMember"), async (c) =>
    c.json(await removeMember(c, c.req.param("userId"))),
  )
  .get(`${ORGANIZATION}/invitations`, access("listInvitations"), async (c) =>
    c.json({ data: await listInvitations(c) }),
  )
  .post(`${ORGANIZATION}/invitations`, access("createInvitation"), async (c) =>
    c.json(await createInvitation(c, await readRequiredBody(c, CreateInvitationBody)), 201),
  )
  .delete(`${ORGANIZATION}/invitations/:id`, access("revokeInvitation"), async (c) =>
    c.json(await revokeInvitation(c, c.req.param("id"))),
  )
  .post("/api/v1/invitations/lookup", access("lookUpInvitation"), async (c) => {
    const { token } = await readRequiredBody(c, InvitationTokenBody);
    return c.json(await invitationSummary(c, token));
  })
  .post("/api/v1/invitations/accept", access("acceptInvitation"), async (c) => {
    const { token } = await readRequiredBody(c, InvitationTokenBody);
    return c.json(await acceptInvitation(c, token));
  })
  .get(`${ORGANIZATION}/projects`, access("listProjects"), async (c) =>
    c.json({ data: await listProjects(c) }),
  )
  .post(`${ORGANIZATION}/projects`, access("createProject"), async (c) => {
    const { name } = await readRequiredBody(c, CreateProjectBody);
    return c.json(await createProject(c, name), 201);
  })
  .put(PROJECT, access("updateProject"), async (c) => {
    const { name } = await readRequiredBody(c, UpdateProjectBody);
    return c.json(await renameProject(c, name));
  })
  .get(`${PROJECT}/deletion`, access("countProjectDeletion"), async (c) => c.json(await deletionCounts(c)))
  .delete(PROJECT, access("deleteProject"), async (c) => c.json(await deleteProject(c)))
  .get(`${PROJECT}/environments`, access("listProjectEnvironments"), async (c) =>
    c.json({ data: await listEnvironments(c) }),
  )
  .post(`${PROJECT}/environments`, access("createProjectEnvironment"), async (c) =>
    c.json(await createEnvironment(c, await readRequiredBody(c, CreateEnvironmentBody))),
  )
  .post(`${PROJECT}/branches/archive`, access("archiveBranch"), async (c) => {
    return c.json(await archiveBranch(c, await readRequiredBody(c, ArchiveBranchBody)));
  })
  .get(`${ORGANIZATION}/audit`, access("listAuditLog"), async (c) =>
    c.json(await listAudit(openSql(c.env), c.var.member.organization.id, auditQueryOf(c))),
  )
  .get(`${ORGANIZATION}/audit/export`, access("exportAuditLog"), (c) => {
    const { organization } = c.var.member;
    const lines = exportAudit(openSql(c.env), organization.id, auditQueryOf(c));
    return c.body(lines, 200, {
      "content-type": "application/x-ndjson",
      "content-disposition": `attachment; filename="audit-${organization.slug}.ndjson"`,
    });
  });

function auditQueryOf(c: Context<App>) {
  const query = ListAuditQuery.safeParse(c.req.query());
  if (!query.success) throw invalid(query.error);
  return query.data;
}
