import { CreateSignInLinkBody, type MeResponse } from "@acme/sdk/contract/api";
import { Hono } from "hono";
import { type App, authenticateSecret } from "../auth/auth.ts";
import { readBody } from "../http/body.ts";
import { baseUrl } from "../http/links.ts";
import { handleAuth } from "../people/handle-auth.ts";
import { meOf } from "../people/me.ts";
import { authenticateSession } from "../people/session.ts";
import { createSignInLink } from "../people/sign-in-link.ts";
import { openSql } from "../storage/sql-connection.ts";

/** People: signing in (better-auth's own routes), who one is, and the operator's sign-in links. */
export const peopleRoutes = new Hono<App>()
  .on(["GET", "POST"], "/api/auth/*", handleAuth)
  .get("/api/v1/me", async (c) => {
    const { user } = await authenticateSession(c);
    const me: MeResponse = await meOf(c.env, openSql(c.env), user);
    return c.json(me);
  })
  .post("/admin/v1/sign-in-links", async (c) => {
    authenticateSecret(c, c.env.ADMIN_TOKEN, "admin token");
    const body = await readBody(c, CreateSignInLinkBody);
    return c.json(await createSignInLink(c.env, openSql(c.env), baseUrl(c), body));
  });
