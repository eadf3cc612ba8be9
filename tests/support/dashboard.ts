import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Browser } from "playwright-core";
import { axeProblems, openBrowser, openPage, type WatchedPage } from "./browser.ts";
import { deployTaskFile } from "./deploy-task.ts";
import { type LocalServer, type LocalServerOptions, startLocalServer } from "./local-server.ts";

export type MemberRole = "viewer" | "developer" | "admin" | "owner";

/** The dashboard of a separate real server, in Chromium, with a signed-in user. */
export interface Dashboard extends WatchedPage {
  server: LocalServer;
  browser: Browser;
  /** Opens a page of production by its path below the environment's. */
  open(path: string, page?: WatchedPage["page"]): Promise<void>;
  /** A page of another signed-in user. */
  signIn(role: MemberRole): Promise<WatchedPage>;
  /** Calls the API with production's secret key. */
  api<T>(method: string, path: string, body?: unknown): Promise<T>;
  trigger(task: string, payload: unknown, options?: object): Promise<string>;
  /** Returns axe's findings on each of the pages in both themes. */
  axe(paths: readonly string[]): Promise<string[]>;
  close(): Promise<void>;
}

export async function openDashboard(source: string, options: LocalServerOptions = {}): Promise<Dashboard> {
  const [server, browser] = await Promise.all([
    startLocalServer({ example: false, ...options }),
    openBrowser(),
  ]);
  await deployTaskFile(server, source);
  const base = `${server.apiUrl}/orgs/default/projects/${server.projectRef}/env/prod/`;

  async function signIn(role: MemberRole): Promise<WatchedPage> {
    const { adminToken } = JSON.parse(readFileSync(join(server.dataDir, "secrets.json"), "utf8")) as {
      adminToken: string;
    };
    const answer = await fetch(`${server.apiUrl}/admin/v1/sign-in-links`, {
      method: "POST",
      headers: { authorization: `Bearer ${adminToken}`, "content-type": "application/json" },
      body: JSON.stringify({ email: `${role}@example.com`, organization: "default", role }),
    });
    const { url } = (await answer.json()) as { url: string };
    const watched = await openPage(browser);
    await watched.page.goto(url);
    await watched.page.waitForURL(/\/env\/prod\/runs$/);
    return watched;
  }
  async function api<T>(method: string, path: string, body?: unknown): Promise<T> {
    const response = await fetch(`${server.apiUrl}${path}`, {
      method,
      headers: { authorization: `Bearer ${server.secretKey}`, "content-type": "application/json" },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
    const text = await response.text();
    return (text === "" ? undefined : JSON.parse(text)) as T;
  }

  const watched = await signIn("owner");
  const open = async (path: string, page = watched.page) => {
    await page.goto(`${base}${path}`);
  };
  return {
    ...watched,
    server,
    browser,
    open,
    signIn,
    api,
    trigger: async (task, payload, triggerOptions) =>
      (
        await api<{ id: string }>("POST", `/api/v1/tasks/${encodeURIComponent(task)}/trigger`, {
          payload,
          options: triggerOptions,
        })
      ).id,
    async axe(paths) {
      const found: string[] = [];
      for (const colorScheme of ["light", "dark"] as const) {
        await watched.page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
        for (const path of paths) {
          await open(path);
          await watched.page.getByRole("main").getByRole("heading", { level: 1 }).waitFor();
          await watched.page.waitForLoadState("networkidle").catch(() => {});
          for (const { id, nodes } of await axeProblems(watched.page)) {
            const where = nodes.map(({ target }) => target.join(" ")).slice(0, 3);
            found.push(`${path}, ${colorScheme}: ${id} at ${where.join(" | ")}`);
          }
        }
      }
      return found;
    },
    async close() {
      await browser.close();
      await server.stop();
    },
  };
}
