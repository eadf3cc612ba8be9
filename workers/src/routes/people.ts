import { CreateSignInLinkBody, type MeResponse } from "@acme/sdk/contract/api";
import { Hono } from "hono";
import { access } from "../auth/middleware.ts";
import type { App } from "../bindings.ts";
import { readBody } from "../http/body.ts";
import { baseUrl } from "../http/links.ts";
import { handleAuth } from "../people/handle-auth.ts";
import { meOf } from "../people/me.ts";
import { createSignInLink } from "../people/sign-in-link.ts";
import { openSql } from "../storage/sql-connection.ts";

/** People: signing in (better-auth's own routes), who one is, and the operator's sign-in links. */
export const peopleRoutes = new Hono<App>()
  .on(["GET", "POST"], "/api/auth/*", handleAuth)
  .get("/api/v1/me", access("getMe"), async (c) => {
    const { user } = c.var.session;
    const me: MeResponse = await meOf(c.env, openSql(c.env), user);
    return c.json(me);
  })
  .post("/admin/v1/sign-in-links", access("createSignInLink"), async (c) => {
    const body = await readBody(c, CreateSignInLinkBody);
    return c.json(await createSignInLink(c.env, openSql(c.env), baseUrl(c), body));
  });
