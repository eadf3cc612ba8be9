import { objectOf } from "@acme/durable-objects/routing";
import {
  AddRecentPayloadBody,
  CreateSignInLinkBody,
  type MeResponse,
  RecentPayloadsQuery,
  RenamePasskeyBody,
  SendTestMailBody,
  type SendTestMailResponse,
  type SignInMethods,
  UpdatePreferencesBody,
} from "@acme/sdk/contract/api";
import { type Context, Hono } from "hono";
import type { z } from "zod";
import { access } from "../auth/middleware.ts";
import type { App } from "../bindings.ts";
import { announced } from "../control/announced.ts";
import { readBody, readRequiredBody } from "../http/body.ts";
import { invalid } from "../http/failure.ts";
import { baseUrl } from "../http/links.ts";
import { mailDelivery } from "../mail/mailer.ts";
import { sendTestMail } from "../mail/test-mail.ts";
import { organizationBySlug } from "../operator/organizations.ts";
import { handleAuth } from "../people/handle-auth.ts";
import { listLinkedAccounts, unlinkAccount } from "../people/linked-accounts.ts";
import { meOf } from "../people/me.ts";
import { deletePasskey, listPasskeys, renamePasskey } from "../people/passkey-list.ts";
import { providersOf } from "../people/providers.ts";
import { listSessions, revokeOtherSessions, revokeSession } from "../people/session-list.ts";
import { createSignInLink } from "../people/sign-in-link.ts";
import type { UserRpc } from "../people/user-object.ts";
import { openSql } from "../storage/sql-connection.ts";

/**
 * Routes for people: signing in (better-auth's own routes), the signed-in person, and the operator's sign-in
 * links.
 */
export const peopleRoutes = new Hono<App>()
  .on(["GET", "POST"], "/api/auth/*", handleAuth)
  .get("/api/v1/sign-in-methods", access("getSignInMethods"), (c) => {
    const providers = providersOf(c.env);
    const has = (id: string): boolean => providers.some(({ providerId }) => providerId === id);
    const links = mailDelivery(c.env);
    const methods: z.output<typeof SignInMethods> = {
      magicLink: links !== "none",
      links,
      passkey: true,
      github: has("github"),
      google: has("google"),
      oidc: providers.find(({ providerId }) => providerId === "oidc")?.name ?? null,
      open: c.env.SIGN_UP === "open",
    };
    return c.json(methods);
  })
  .get("/api/v1/me", access("getMe"), async (c) => {
    const { user } = c.var.session;
    const me: MeResponse = await meOf(c.env, openSql(c.env), user);
    return c.json(me);
  })
  .get("/api/v1/me/sessions", access("listSessions"), async (c) => c.json({ data: await listSessions(c) }))
  .delete("/api/v1/me/sessions", access("revokeOtherSessions"), async (c) =>
    c.json(await revokeOtherSessions(c)),
  )
  .delete("/api/v1/me/sessions/:id", access("revokeSession"), async (c) =>
    c.json(await revokeSession(c, c.req.param("id"))),
  )
  .get("/api/v1/me/linked-accounts", access("listLinkedAccounts"), async (c) =>
    c.json({ data: await listLinkedAccounts(c) }),
  )
  .delete("/api/v1/me/linked-accounts/:id", access("unlinkAccount"), async (c) =>
    c.json(await unlinkAccount(c, c.req.param("id"))),
  )
  .get("/api/v1/me/passkeys", access("listPasskeys"), async (c) => c.json({ data: await listPasskeys(c) }))
  .put("/api/v1/me/passkeys/:id", access("renamePasskey"), async (c) => {
    const { name } = await readRequiredBody(c, RenamePasskeyBody);
    return c.json(await renamePasskey(c, c.req.param("id"), name));
  })
  .delete("/api/v1/me/passkeys/:id", access("deletePasskey"), async (c) =>
    c.json(await deletePasskey(c, c.req.param("id"))),
  )
  .get("/api/v1/me/preferences", access("getPreferences"), async (c) =>
    c.json(await userObjectOf(c).preferences()),
  )
  .put("/api/v1/me/preferences", access("updatePreferences"), async (c) =>
    c.json(await userObjectOf(c).updatePreferences(await readRequiredBody(c, UpdatePreferencesBody))),
  )
  .get("/api/v1/me/recent-payloads", access("listRecentPayloads"), async (c) => {
    const query = RecentPayloadsQuery.safeParse(c.req.query());
    if (!query.success) throw invalid(query.error);
    const { environment, task } = query.data;
    return c.json({ data: await userObjectOf(c).recentPayloads(environment, task) });
  })
  .post("/api/v1/me/recent-payloads", access("addRecentPayload"), async (c) => {
    const { environment, task, payload } = await readRequiredBody(c, AddRecentPayloadBody);
    return c.json({ data: await userObjectOf(c).addRecentPayload(environment, task, payload) });
  })
  .post("/admin/v1/sign-in-links", access("createSignInLink"), async (c) => {
    const body = await readBody(c, CreateSignInLinkBody);
    const { email, organization: slug, role } = body;
    const connection = openSql(c.env);
    const organizationId = slug === undefined ? null : (await organizationBySlug(connection, slug)).id;
    const deed = {
      organizationId,
      action: "sign_in_link.created",
      target: { type: "person", id: email },
      details: slug === undefined ? {} : { role },
    };
    return c.json(await announced(c, deed, () => createSignInLink(c.env, connection, baseUrl(c), body)));
  })
  .post("/admin/v1/test-mails", access("sendTestMail"), async (c) => {
    const { email } = await readRequiredBody(c, SendTestMailBody);
    await sendTestMail(c.env, email);
    const sent: z.output<typeof SendTestMailResponse> = { links: c.env.MAIL_URL ? "sent" : "printed" };
    return c.json(sent);
  });

const userObjectOf = (c: Context<App>): UserRpc => objectOf(c.env, "USER", c.env.USER, c.var.session.user.id);
