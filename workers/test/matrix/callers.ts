import { env } from "cloudflare:workers";
import { ROLES, type Role, TOKEN_SCOPES, type TokenScope } from "@acme/sdk/contract/api";
import { issueToken } from "../../src/auth/tokens.ts";
import { issueRunToken } from "../../src/hosts/run-tokens.ts";
import { createToken } from "../access-token.ts";
import {
  ADMIN_TOKEN,
  call,
  callAsHost,
  deploy,
  HOST_TOKEN,
  hostCredential,
  METRICS_TOKEN,
  newProject,
  type Project,
  SIGNING,
} from "../client.ts";
import { anEmail, ORIGIN, signIn } from "../person.ts";

/** The credentials that a request can have. */
export type Kind =
  | { is: "nobody" }
  | { is: "ended session" }
  | { is: "session"; role: Role }
  | { is: "session of another organization" }
  | { is: "secret key" }
  | { is: "key of another environment" }
  | { is: "revoked key" }
  | { is: "run token" }
  | { is: "public token without scopes" }
  | { is: "expired public token" }
  | { is: "access token"; role: Role; scopes: TokenScope[] }
  | { is: "access token of the organization" }
  | { is: "access token of another organization" }
  | { is: "host" }
  | { is: "host token" }
  | { is: "admin token" }
  | { is: "metrics token" };

export interface Caller {
  name: string;
  kind: Kind;
  headers: Record<string, string>;
  /** The resources in the path. Each caller has its own project, so that changes do not affect the others. */
  project: Project;
}

const bearer = (token: string) => ({ authorization: `Bearer ${token}`, "content-type": "application/json" });

/** Everything that is named by the path is of its project; `x-acme-environment` names its production environment. */
async function caller(name: string, kind: Kind): Promise<Caller> {
  const project = await newProject();
  await deploy(project, ["hello"]);
  const prod = await environmentIdOf(project);
  const headers = { "x-acme-environment": prod, ...(await headersOf(kind, project)) };
  return { name, kind, headers, project };
}

async function environmentIdOf({ ref, accessToken }: Project): Promise<string> {
  const { body } = await call<{ id: string }>("GET", `/api/v1/projects/${ref}/prod`, accessToken);
  return body.id;
}

async function headersOf(kind: Kind, project: Project): Promise<Record<string, string>> {
  const organization = project.ref.slice(5);
  const inAnHour = Math.floor(Date.now() / 1000) + 3600;
  switch (kind.is) {
    case "nobody":
      return {};
    case "ended session":
      return { cookie: "acme.session_token=gone.gone", origin: ORIGIN };
    case "session": {
      const { cookie } = await signIn(anEmail(), { organization, role: kind.role });
      return { cookie, origin: ORIGIN };
    }
    case "session of another organization": {
      const other = await newProject();
      const { cookie } = await signIn(anEmail(), { organization: other.ref.slice(5), role: "owner" });
      return { cookie, origin: ORIGIN };
    }
    case "secret key":
      return bearer(project.prod);
    case "key of another environment": {
      const other = await newProject();
      await deploy(other, ["hello"]);
      return bearer(other.prod);
    }
    case "revoked key": {
      const keys = `/api/v1/projects/${project.ref}/prod/keys`;
      const made = await call<{ id: string; key: string }>("POST", keys, project.accessToken, {});
      await call("DELETE", `${keys}/${made.body.id}`, project.accessToken);
      return bearer(made.body.key);
    }
    case "run token": {
      const { body } = await call<{ id: string }>("POST", "/api/v1/tasks/hello/trigger", project.prod, {});
      return bearer(issueRunToken(env, "host", { runId: body.id, token: 1 }));
    }
    case "public token without scopes":
      return bearer(issueToken(SIGNING, { env: project.prodKey, kind: "public", scopes: [], exp: inAnHour }));
    case "expired public token":
      return bearer(
        issueToken(SIGNING, {
          env: project.prodKey,
          kind: "public",
          scopes: ["admin"],
          exp: inAnHour - 7200,
        }),
      );
    case "access token": {
      const person = await signIn(anEmail(), { organization, role: kind.role });
      return bearer((await createToken(person, { organization, scopes: kind.scopes })).token);
    }
    case "access token of the organization":
      return { ...bearer(project.accessToken), "x-acme-environment": `${project.ref}/prod` };
    case "access token of another organization": {
      const other = (await newProject()).ref.slice(5);
      const person = await signIn(anEmail(), { organization: other, role: "owner" });
      return bearer((await createToken(person, { organization: other, scopes: ["admin"] })).token);
    }
    case "host": {
      const hostId = `host-of-${organization}`;
      await callAsHost("report", { protocol: 1, hostId, sessionId: "s" });
      return bearer(hostCredential(hostId));
    }
    case "host token":
      return bearer(HOST_TOKEN);
    case "admin token":
      return bearer(ADMIN_TOKEN);
    case "metrics token":
      return bearer(METRICS_TOKEN);
  }
}

const KINDS: [string, Kind][] = [
  ["nobody", { is: "nobody" }],
  ["a session that ended", { is: "ended session" }],
  ...ROLES.map((role): [string, Kind] => [`session: ${role}`, { is: "session", role }]),
  ["session of another organization", { is: "session of another organization" }],
  ["secret key", { is: "secret key" }],
  ["secret key of another environment", { is: "key of another environment" }],
  ["revoked secret key", { is: "revoked key" }],
  ["run token", { is: "run token" }],
  ["public token without scopes", { is: "public token without scopes" }],
  ["public token that expired", { is: "expired public token" }],
  ...TOKEN_SCOPES.map((scope): [string, Kind] => [
    `an owner's access token: ${scope}`,
    { is: "access token", role: "owner", scopes: [scope] },
  ]),
  ["a viewer's access token: admin", { is: "access token", role: "viewer", scopes: ["admin"] }],
  ["access token of the organization", { is: "access token of the organization" }],
  ["access token of another organization", { is: "access token of another organization" }],
  ["host", { is: "host" }],
  ["host token", { is: "host token" }],
  ["admin token", { is: "admin token" }],
  ["metrics token", { is: "metrics token" }],
];

export async function makeCallers(): Promise<Caller[]> {
  const callers: Caller[] = [];
  for (const [name, kind] of KINDS) callers.push(await caller(name, kind));
  return callers;
}
