import { CreateApiKeyBody, RotateApiKeyBody } from "@acme/sdk/contract/api";
import { Hono } from "hono";
import { access } from "../auth/middleware.ts";
import type { App } from "../bindings.ts";
import { createKey, listKeys, revokeKey, rotateKey } from "../control/keys.ts";
import { readBody } from "../http/body.ts";

const PATH = "/api/v1/projects/:ref/:env{(?:(?:dev|preview)(?:-[0-9a-z-]+)?|staging|prod)}/keys" as const;

/** Routes for the secret keys of an environment. */
export const keyRoutes = new Hono<App>()
  .get(PATH, access("listKeys"), async (c) => c.json({ data: await listKeys(c) }))
  .post(PATH, access("createKey"), async (c) => {
    return c.json(await createKey(c, await readBody(c, CreateApiKeyBody)), 201);
  })
  .post(`${PATH}/:id/rotate`, access("rotateKey"), async (c) => {
    return c.json(await rotateKey(c, c.req.param("id"), await readBody(c, RotateApiKeyBody)), 201);
  })
  .delete(`${PATH}/:id`, access("revokeKey"), async (c) => {
    await revokeKey(c, c.req.param("id"));
    return c.json({ success: true });
  });
