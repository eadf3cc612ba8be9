import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { LEAST_ROLE } from "@acme/sdk/contract/roles";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { AlertsApi } from "../src/lib/api/alerts-api.ts";
import { EnvironmentApi } from "../src/lib/api/environment-api.ts";
import * as keys from "../src/lib/api/keys-api.ts";
import * as organizations from "../src/lib/api/organization-api.ts";
import * as variables from "../src/lib/api/variables-api.ts";

const SOURCES = join(import.meta.dirname, "../src");
const components = globSync("**/*.svelte", { cwd: SOURCES }).map((file) => ({
  file,
  text: readFileSync(join(SOURCES, file), "utf8"),
}));

/** The operations that the controls of a component declare. */
const declaredIn = (text: string): string[] =>
  [...text.matchAll(/data-operation=(?:"(\w+)"|\{([^}]+)\})/g)].flatMap(([, name, expression]) =>
    name ? [name] : [...(expression ?? "").matchAll(/"(\w+)"/g)].map(([, literal]) => literal ?? ""),
  );

interface Sent {
  method: string;
  path: string;
}
let sent: Sent[] = [];
/** Ids of operations by path and method, as the API lists its routes. */
let operations: Record<string, Record<string, { id: string }>> = {};
beforeAll(async () => {
  // Not by its name: the API's sources are compiled with other settings than the dashboard's.
  const routes = join(import.meta.dirname, "../../workers/src/openapi/operations.ts");
  operations = ((await import(routes)) as { OPERATIONS: typeof operations }).OPERATIONS;
  vi.stubGlobal("location", { origin: "http://api.example" });
  vi.stubGlobal("fetch", async (url: URL, { method = "GET" }: { method?: string }) => {
    sent.push({ method, path: url.pathname });
    return Response.json({ data: [], events: [], attempts: [], pagination: {} });
  });
});
afterAll(() => {
  vi.unstubAllGlobals();
});

function operationOf({ method, path }: Sent): string | undefined {
  for (const [template, methods] of Object.entries(operations)) {
    const pattern = new RegExp(`^${template.replace(/\{\w+\}/g, "[^/]+")}$`);
    const found = Object.entries(methods).find(([name]) => name.toUpperCase() === method)?.[1];
    if (found && pattern.test(path)) return found.id;
  }
  return undefined;
}

const leads = (request: Sent): string =>
  operationOf(request) ?? `no operation of the API: ${request.method} ${request.path}`;

/** Operations without a role are for every signed-in person, or for every holder of a link. */
function leastRoleOf(id: string): string {
  const roles: Readonly<Record<string, string>> = LEAST_ROLE;
  return roles[id] ?? (id.startsWith("no ") ? "unknown" : "viewer");
}

/** The functions of the dashboard's clients that a viewer may not use, with the operations that they lead to. */
async function refusedToViewers(): Promise<Map<string, ReadonlySet<string>>> {
  const clients = [
    new EnvironmentApi("environment", "project/prod"),
    new AlertsApi("environment"),
    new organizations.OrganizationApi("shop"),
  ];
  const functions = [
    ...clients.flatMap((client) =>
      Object.getOwnPropertyNames(Object.getPrototypeOf(client))
        .filter((name) => name !== "constructor")
        .map((name) => [name, client, Reflect.get(client, name)] as const),
    ),
    ...[keys, organizations, variables].flatMap((module) =>
      Object.entries(module).map(([name, value]) => [name, undefined, value] as const),
    ),
  ];
  const found = new Map<string, ReadonlySet<string>>();
  for (const [name, client, value] of functions) {
    if (typeof value !== "function" || name === "OrganizationApi") continue;
    sent = [];
    // Those that save what is new or known, and those that start or stop, lead to two operations.
    for (const first of ["x/prod", null, true, false]) {
      if (first !== "x/prod" && !["saveRule", "setPaused"].includes(name)) continue;
      await Promise.resolve(
        Reflect.apply(value, client, [first, name === "setScheduleActive" ? true : "x", "x", "x"]),
      ).catch(() => {});
    }
    if (name === "setScheduleActive") await Reflect.apply(value, client, ["x", false]);
    const refused = sent.map(leads).filter((id) => leastRoleOf(id) !== "viewer");
    if (refused.length > 0) found.set(name, new Set(refused));
  }
  return found;
}

describe("controls and the operations that they lead to", () => {
  it("declares no operation that the table of roles does not have", () => {
    const unknown = components.flatMap(({ file, text }) =>
      declaredIn(text)
        .filter((id) => !(id in LEAST_ROLE))
        .map((id) => `${file}: ${id}`),
    );
    expect(unknown).toEqual([]);
    expect(components.flatMap(({ text }) => declaredIn(text)).length).toBeGreaterThan(60);
  });

  it("asks the table of roles before it shows a control that declares an operation", () => {
    const unasked = components
      .filter(({ text }) => declaredIn(text).length > 0)
      // Dialogs and panes that are opened by a control ask there.
      .filter(({ text }) => !/scope\.may\(/.test(text) && !/<Dialog\b/.test(text))
      .map(({ file }) => file);
    expect(unasked).toEqual([]);
  });

  it("declares the operation of each call that a viewer is refused, in the component that makes it", async () => {
    const refused = await refusedToViewers();
    expect(refused.size).toBeGreaterThan(25);
    const missing: string[] = [];
    for (const { file, text } of components) {
      const declared = new Set(declaredIn(text));
      for (const [name, ids] of refused) {
        if (!new RegExp(`(?:api\\.|[^.\\w])${name}\\(`).test(text)) continue;
        if (
          !text.includes(`api.${name}(`) &&
          !new RegExp(`import [^;]*\\b${name}\\b[^;]*-api\\.ts`).test(text)
        )
          continue;
        for (const id of ids)
          if (!declared.has(id) && !text.includes(`may("${id}")`))
            missing.push(`${file}: ${name} leads to ${id}`);
      }
    }
    expect(missing).toEqual([]);
  });
});
