import { ACCESS, type Access, type OperationId } from "../src/auth/access.ts";
import { OPERATIONS } from "../src/openapi/operations.ts";

export interface Route {
  id: OperationId;
  method: string;
  path: string;
  access: Access;
}

/** Every route of the API. */
export const routes: Route[] = Object.entries(OPERATIONS).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, { id }]) => ({
    id,
    method: method.toUpperCase(),
    path,
    access: ACCESS[id],
  })),
);

export const taking = (...credentials: Access["credential"][]): Route[] =>
  routes.filter(({ access }) => credentials.includes(access.credential));

/** The path with something in place of each parameter. */
export const filled = (path: string, values: Record<string, string> = {}): string =>
  path.replace(/\{(\w+)\}/g, (_, name: string) => values[name] ?? (name === "target" ? "self" : "x.json"));
