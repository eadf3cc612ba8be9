import { env } from "cloudflare:workers";
import { randomBase36 } from "@acme/sdk/contract";
import type { BootstrapResponse } from "@acme/sdk/contract/api";
import { eq } from "drizzle-orm";
import { describe, expect, it } from "vitest";
import type { z } from "zod";
import { sha256 } from "../src/auth/tokens.ts";
import { openSql } from "../src/storage/sql-connection.ts";
import { ADMIN_TOKEN, call } from "./client.ts";
import { signIn } from "./person.ts";

interface Wanted {
  organization: { slug: string; name: string };
  project: { ref: string; name: string };
  secretKeys: Record<string, string>;
  accessToken: string;
}

type Body = z.infer<typeof BootstrapResponse> & { code: string; error: string };

function aStart(): Wanted {
  const unique = randomBase36(12);
  return {
    organization: { slug: unique, name: unique },
    project: { ref: `proj_${unique}`, name: unique },
    secretKeys: { prod: `tr_prod_${randomBase36(24)}`, dev: `tr_dev_${randomBase36(24)}` },
    accessToken: `tr_pat_${randomBase36(24)}`,
  };
}

const send = (wanted: Wanted) => call<Body>("POST", "/admin/v1/bootstrap", ADMIN_TOKEN, wanted);
const works = async (key: string | undefined) =>
  (await call("GET", "/api/v1/runs", key ?? "")).status === 200;

/** Actions and scopes of the organization's audit log, oldest first. */
async function log({ organization: { slug } }: Wanted): Promise<string[]> {
  interface Page {
    data: { action: string; scope: string | null; actor: { type: string } }[];
  }
  const { body } = await call<Page>("GET", `/admin/v1/audit?organization=${slug}`, ADMIN_TOKEN);
  expect(new Set(body.data.map(({ actor }) => actor.type))).toEqual(new Set(["operator"]));
  return body.data.map(({ action, scope }) => `${action} ${scope?.split("/")[1] ?? ""}`.trim()).toReversed();
}

describe("the start of a server", () => {
  it("creates what other routes create one by one, with the same entries in the audit log", async () => {
    const wanted = aStart();
    const { status, body } = await send(wanted);
    expect(status).toBe(200);
    expect(body).toMatchObject({
      projectRef: wanted.project.ref,
      environments: [
        { slug: "dev", type: "DEVELOPMENT" },
        { slug: "prod", type: "PRODUCTION" },
      ],
      warnings: [],
    });
    expect([await works(wanted.secretKeys.prod), await works(wanted.secretKeys.dev)]).toEqual([true, true]);
    expect((await call("GET", "/api/v1/access-token", wanted.accessToken)).status).toBe(200);
    const all = [
      "organization.created",
      "project.created",
      "key.created dev",
      "key.created prod",
      "access_token.created",
    ];
    expect(await log(wanted)).toEqual(all);

    expect((await send(wanted)).body).toEqual(body);
    expect(await log(wanted)).toEqual(all);
  });

  it("is the same for two at once", async () => {
    const wanted = aStart();
    const [one, two] = await Promise.all([send(wanted), send(wanted)]);
    expect([one.status, two.status]).toEqual([200, 200]);
    expect(one.body).toEqual(two.body);
    expect(await log(wanted)).toHaveLength(5);
  });

  it("adds environments and keys, and keeps the ones before", async () => {
    const wanted = aStart();
    await send(wanted);
    const more = { staging: `tr_stg_${randomBase36(24)}`, prod: `tr_prod_${randomBase36(24)}` };
    const { body } = await send({ ...wanted, secretKeys: more });
    expect(body.environments.map(({ slug, type }) => [slug, type])).toEqual([
      ["dev", "DEVELOPMENT"],
      ["prod", "PRODUCTION"],
      ["staging", "STAGING"],
    ]);
    const keys = [wanted.secretKeys.prod, more.prod, more.staging];
    expect(await Promise.all(keys.map(works))).toEqual([true, true, true]);
    expect((await log(wanted)).slice(5)).toEqual([
      "environment.created staging",
      "key.created staging",
      "key.created prod",
    ]);
  });

  it("refuses what is another organization's, and changes nothing", async () => {
    const [own, other] = [aStart(), aStart()];
    await send(own);
    const wrong = [
      { ...other, project: own.project },
      { ...other, secretKeys: { prod: own.secretKeys.prod ?? "" } },
      { ...own, secretKeys: { prod: own.secretKeys.dev ?? "" } },
      { ...other, accessToken: own.accessToken },
    ];
    for (const each of wrong) {
      const { status, body } = await send(each);
      expect([status, body.code]).toEqual([409, "conflict"]);
    }
    expect(await works(other.secretKeys.prod)).toBe(false);
    expect(
      (await call("GET", `/admin/v1/organizations/${other.organization.slug}`, ADMIN_TOKEN)).status,
    ).toBe(404);
  });

  it("restores no revoked key or token, and says so", async () => {
    const wanted = aStart();
    await send(wanted);
    const { db, tables } = openSql(env);
    const revokedAt = Date.now() - 1;
    await db
      .update(tables.apiKeys)
      .set({ revokedAt })
      .where(eq(tables.apiKeys.hash, sha256(wanted.secretKeys.prod ?? "")));
    await db
      .update(tables.accessTokens)
      .set({ revokedAt })
      .where(eq(tables.accessTokens.hash, sha256(wanted.accessToken)));
    const { status, body } = await send(wanted);
    expect([status, body.warnings]).toEqual([
      200,
      [
        'The secret key of "prod" was revoked or has expired, and is not accepted.',
        "The access token was revoked, and is not accepted.",
      ],
    ]);
    expect([await works(wanted.secretKeys.prod), await works(wanted.secretKeys.dev)]).toEqual([false, true]);
    expect(await log(wanted)).toHaveLength(5);
  });

  it("does not restore a deleted project", async () => {
    const wanted = aStart();
    await send(wanted);
    const owner = await signIn(undefined, { organization: wanted.organization.slug, role: "owner" });
    expect((await owner.call("DELETE", `/api/v1/projects/${wanted.project.ref}`)).status).toBe(200);
    const { status, body } = await send(wanted);
    expect([status, body.warnings]).toEqual([
      200,
      [`The project "${wanted.project.ref}" was deleted, and is not created again.`],
    ]);
    expect(await works(wanted.secretKeys.prod)).toBe(false);
  });
});
