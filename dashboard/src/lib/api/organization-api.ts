import type {
  AuditEntry,
  CreateInvitationResponse,
  EnvironmentResponse,
  InvitationObject,
  InvitationSummary,
  ListAuditResponse,
  MemberObject,
  OrganizationObject,
  OrganizationUsageResponse,
  ProjectObject,
} from "@acme/sdk/contract/api";
import type { z } from "zod";
import { request } from "./request.ts";
import type { Role } from "./session.ts";

export type Member = MemberObject;
export type Invitation = InvitationObject;
export type Audit = AuditEntry;
export type AuditPage = z.infer<typeof ListAuditResponse>;

/** The API of one organization: its members and its audit log. */
export class OrganizationApi {
  readonly #path: string;
  constructor(readonly slug: string) {
    this.#path = `/api/v1/organizations/${encodeURIComponent(slug)}`;
  }

  usage(query: Record<string, string | undefined>, signal?: AbortSignal): Promise<OrganizationUsageResponse> {
    return request(`${this.#path}/usage`, { query, signal });
  }
  retrieve(signal?: AbortSignal): Promise<OrganizationObject> {
    return request(this.#path, { signal });
  }
  rename(name: string): Promise<OrganizationObject> {
    return request(this.#path, { method: "PUT", body: { name } });
  }
  async listMembers(signal?: AbortSignal): Promise<Member[]> {
    return (await request<{ data: Member[] }>(`${this.#path}/members`, { signal })).data;
  }
  changeRole(userId: string, role: Role): Promise<Member> {
    return request(`${this.#path}/members/${encodeURIComponent(userId)}`, { method: "PUT", body: { role } });
  }
  removeMember(userId: string): Promise<unknown> {
    return request(`${this.#path}/members/${encodeURIComponent(userId)}`, { method: "DELETE" });
  }
  async listInvitations(signal?: AbortSignal): Promise<Invitation[]> {
    return (await request<{ data: Invitation[] }>(`${this.#path}/invitations`, { signal })).data;
  }
  invite(email: string, role: Role): Promise<CreateInvitationResponse> {
    return request(`${this.#path}/invitations`, { method: "POST", body: { email, role } });
  }
  revokeInvitation(id: string): Promise<unknown> {
    return request(`${this.#path}/invitations/${encodeURIComponent(id)}`, { method: "DELETE" });
  }
  listAudit(after: string | undefined, signal?: AbortSignal): Promise<AuditPage> {
    return request(`${this.#path}/audit`, { query: { "page[size]": 100, "page[after]": after }, signal });
  }
  createProject(name: string): Promise<ProjectObject> {
    return request(`${this.#path}/projects`, { method: "POST", body: { name } });
  }
}

export const renameProject = (ref: string, name: string): Promise<ProjectObject> =>
  request(`/api/v1/projects/${encodeURIComponent(ref)}`, { method: "PUT", body: { name } });

export interface EnvironmentLimits {
  concurrencyLimit: number;
  burstFactor: number;
  queueSizeLimit: number | null;
}

export const changeLimits = (
  path: string,
  limits: Partial<EnvironmentLimits>,
): Promise<EnvironmentResponse> =>
  request(`/api/v1/projects/${path}/limits`, { method: "PUT", body: limits });

export const lookUpInvitation = (token: string, signal?: AbortSignal): Promise<InvitationSummary> =>
  request("/api/v1/invitations/lookup", { method: "POST", body: { token }, signal });

export const acceptInvitation = (
  token: string,
): Promise<{ organization: { slug: string; name: string }; role: Role }> =>
  request("/api/v1/invitations/accept", { method: "POST", body: { token } });
