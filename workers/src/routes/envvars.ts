import { CreateVariableBody, ImportVariablesBody, UpdateVariableBody } from "@acme/sdk/contract/api";
import { Hono } from "hono";
import { access } from "../auth/middleware.ts";
import type { App } from "../bindings.ts";
import { announced } from "../control/announced.ts";
import { rewrapAll } from "../control/sealing.ts";
import {
  deleteVariable,
  listVariables,
  rotateEncryption,
  setVariables,
  variableNotFound,
} from "../control/variables.ts";
import { readRequiredBody } from "../http/body.ts";
import { openSql } from "../storage/sql-connection.ts";

const PATH = "/api/v1/projects/:ref/envvars/:env";

/** The size of a complete .env file with values at their limits. */
const IMPORT_BYTES = 4 * 1024 * 1024;

/** Routes for environment variables. A change reaches attempts that start at least 10 s later. */
export const envvarRoutes = new Hono<App>()
  .get(PATH, access("listVariables"), async (c) =>
    c.json(await listVariables(c.env, openSql(c.env), c.var.environment.key)),
  )
  .post(PATH, access("createVariable"), async (c) => {
    const { name, value, isSecret } = await readRequiredBody(c, CreateVariableBody);
    const changed = await setVariables(c, c.var.environment, [{ name, value, isSecret }], { override: true });
    return c.json({ success: true, changed });
  })
  .post(`${PATH}/import`, access("importVariables"), async (c) => {
    const body = await readRequiredBody(c, ImportVariablesBody, IMPORT_BYTES);
    const override = body.override ?? false;
    const changesOf = (variables: Record<string, string>) =>
      Object.entries(variables).map(([name, value]) => ({ name, value, isSecret: body.isSecret }));
    const { environment } = c.var;
    // The parent's variables come first, so that an environment without a parent is refused before anything
    // is changed.
    const inherited = body.parentVariables
      ? await setVariables(c, environment, changesOf(body.parentVariables), { override, parent: true })
      : [];
    const changed = await setVariables(c, environment, changesOf(body.variables), { override });
    return c.json({ success: true, changed: [...inherited, ...changed] });
  })
  .get(`${PATH}/:name`, access("retrieveVariable"), async (c) => {
    const { environment } = c.var;
    const name = c.req.param("name");
    const all = await listVariables(c.env, openSql(c.env), environment.key);
    const found = all.find((variable) => variable.name === name);
    if (!found) throw variableNotFound(environment, name);
    return c.json(found);
  })
  .put(`${PATH}/:name`, access("updateVariable"), async (c) => {
    const { environment } = c.var;
    const name = c.req.param("name");
    const { value, isSecret } = await readRequiredBody(c, UpdateVariableBody);
    const all = await listVariables(c.env, openSql(c.env), environment.key);
    if (!all.some((variable) => variable.name === name)) throw variableNotFound(environment, name);
    const changed = await setVariables(c, environment, [{ name, value, isSecret }], { override: true });
    return c.json({ success: true, changed });
  })
  .delete(`${PATH}/:name`, access("deleteVariable"), async (c) => {
    const name = c.req.param("name");
    await deleteVariable(c, c.var.environment, name);
    return c.json({ success: true, changed: [name] });
  })
  .post("/api/v1/organizations/:organization/encryption/rotate", access("rotateEncryption"), async (c) =>
    c.json(await rotateEncryption(c, c.var.member.organization.id)),
  )
  .post("/admin/v1/encryption/rewrap", access("rewrapEncryption"), async (c) =>
    c.json({
      keys: await announced(
        c,
        {
          organizationId: null,
          action: "encryption.rewrapped",
          target: { type: "server", id: "encryption" },
        },
        () => rewrapAll(c.env, openSql(c.env)),
        (keys) => ({ keys }),
      ),
    }),
  );
