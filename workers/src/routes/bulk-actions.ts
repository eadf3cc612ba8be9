import { CreateBulkActionBody, ListBulkActionsQuery } from "@acme/sdk/contract/api";
import { Hono } from "hono";
import { access } from "../auth/middleware.ts";
import type { App } from "../bindings.ts";
import {
  abortBulkAction,
  createBulkAction,
  listBulkActions,
  retrieveBulkAction,
} from "../bulk-actions/bulk-actions.ts";
import { readRequiredBody } from "../http/body.ts";
import { invalid } from "../http/failure.ts";

const PATH = "/api/v1/bulk-actions";

/** Routes that cancel or replay many runs, by filter or by their ids. */
export const bulkActionRoutes = new Hono<App>()
  .post(PATH, access("createBulkAction"), async (c) =>
    c.json(await createBulkAction(c, await readRequiredBody(c, CreateBulkActionBody)), 202),
  )
  .get(PATH, access("listBulkActions"), async (c) => {
    const query = ListBulkActionsQuery.safeParse(c.req.query());
    if (!query.success) throw invalid(query.error);
    return c.json(await listBulkActions(c, query.data));
  })
  .get(`${PATH}/:id`, access("retrieveBulkAction"), async (c) =>
    c.json(await retrieveBulkAction(c, c.req.param("id"))),
  )
  .post(`${PATH}/:id/abort`, access("abortBulkAction"), async (c) =>
    c.json(await abortBulkAction(c, c.req.param("id"))),
  );
