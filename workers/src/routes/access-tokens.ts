import {
  ApproveDeviceLoginBody,
  CreateAccessTokenBody,
  PollDeviceLoginBody,
  StartDeviceLoginBody,
  UserCodeBody,
} from "@acme/sdk/contract/api";
import { Hono } from "hono";
import { access } from "../auth/middleware.ts";
import type { App } from "../bindings.ts";
import { createAccessToken, listAccessTokens, revokeAccessToken, whoami } from "../control/access-tokens.ts";
import { readBody, readRequiredBody } from "../http/body.ts";
import {
  decideDeviceLogin,
  lookUpDeviceLogin,
  pollDeviceLogin,
  startDeviceLogin,
} from "../people/device-login.ts";

const OWN = "/api/v1/me/access-tokens";

/** Personal access tokens, and the device authorization flow with which a program gets one. */
export const accessTokenRoutes = new Hono<App>()
  .get(OWN, access("listAccessTokens"), async (c) => c.json({ data: await listAccessTokens(c) }))
  .post(OWN, access("createAccessToken"), async (c) =>
    c.json(await createAccessToken(c, await readRequiredBody(c, CreateAccessTokenBody)), 201),
  )
  .delete(`${OWN}/:id`, access("revokeAccessToken"), async (c) => {
    await revokeAccessToken(c, c.req.param("id"), c.var.person.id);
    return c.json({ success: true });
  })
  .get("/api/v1/access-token", access("getOwnAccessToken"), async (c) => c.json(await whoami(c)))
  .delete("/api/v1/access-token", access("revokeOwnAccessToken"), async (c) => {
    await revokeAccessToken(c, c.var.token.id, c.var.token.person?.id ?? null);
    return c.json({ success: true });
  })
  .post("/api/v1/device/code", access("startDeviceLogin"), async (c) =>
    c.json(await startDeviceLogin(c, await readBody(c, StartDeviceLoginBody))),
  )
  .post("/api/v1/device/token", access("pollDeviceLogin"), async (c) => {
    const { deviceCode } = await readRequiredBody(c, PollDeviceLoginBody);
    return c.json(await pollDeviceLogin(c, deviceCode));
  })
  .post("/api/v1/device/lookup", access("lookUpDeviceLogin"), async (c) => {
    const { userCode } = await readRequiredBody(c, UserCodeBody);
    return c.json(await lookUpDeviceLogin(c, userCode));
  })
  .post("/api/v1/device/approve", access("approveDeviceLogin"), async (c) =>
    c.json(await decideDeviceLogin(c, "approved", await readRequiredBody(c, ApproveDeviceLoginBody))),
  )
  .post("/api/v1/device/deny", access("denyDeviceLogin"), async (c) =>
    c.json(await decideDeviceLogin(c, "denied", await readRequiredBody(c, UserCodeBody))),
  );
