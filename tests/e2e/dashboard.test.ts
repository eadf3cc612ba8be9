import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startSignInProviders } from "../../workers/test/outside/sign-in-providers.ts";
import { axeProblems, openBrowser, openPage, type WatchedPage } from "../support/browser.ts";
import { deployTaskFile } from "../support/deploy-task.ts";
import { eventually } from "../support/eventually.ts";
import { type LocalServer, startLocalServer } from "../support/local-server.ts";

const TASKS = `
import { concurrencyLimit, schedules, task, wait } from "@acme/sdk";
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
export const slow = task({
  id: "slow",
  run: async ({ name }: { name: string }) => {
    for (let line = 1; line <= 8; line++) {
      console.log(\`Line \${line} for \${name}\`);
      await pause(400);
    }
    return { greeting: \`Hello, \${name}\` };
  },
});
export const quick = task({ id: "quick", run: async () => "done" });
export const fails = task({ id: "fails", retry: { maxAttempts: 1 }, run: async () => { throw new Error("no such card"); } });
export const nightly = schedules.task({ id: "nightly", run: async () => {} });
export const ask = task({
  id: "ask",
  run: async ({ order }: { order: string }) => {
    const token = await wait.createToken({ timeout: "1d", tags: [\`order:\${order}\`] });
    const answer = await wait.forToken<{ ok: boolean }>(token);
    return { outcome: answer.ok && answer.output.ok ? "shipped" : "refunded" };
  },
});
export const odd = task({
  id: "__proto__",
  run: async (payload: { html: string }) => {
    console.log(payload.html);
    console.log("x".repeat(1_000_000));
  },
});
const vendor = concurrencyLimit({ name: "vendor", total: 3 });
export const limited = task({ id: "limited", concurrency: vendor, run: async () => "done" });
export const hold = task({ id: "hold", run: async () => pause(600_000) });
`;

describe("the dashboard, on the real stack", () => {
  let server: LocalServer;
  let browser: Browser;
  let watched: WatchedPage;
  let providers: Awaited<ReturnType<typeof startSignInProviders>>;

  beforeAll(async () => {
    providers = await startSignInProviders();
    const settings = {
      NETWORKS: "public,private",
      OIDC_ISSUER: `${providers.origin}/oidc`,
      OIDC_CLIENT_ID: "oidc-client",
      OIDC_CLIENT_SECRET: "oidc-secret",
      OIDC_NAME: "Keycloak",
    };
    [server, browser] = await Promise.all([startLocalServer({ example: false, settings }), openBrowser()]);
    await deployTaskFile(server, TASKS);
    watched = await openPage(browser);
  });
  afterAll(async () => {
    await browser?.close();
    await server?.stop();
    await providers?.stop();
  });

  /** The pill that counts new runs. */
  const newRuns = () => watched.page.getByRole("button", { name: /\d+ new$/ });
  const trigger = async (task: string, payload: unknown): Promise<string> => {
    const response = await fetch(`${server.apiUrl}/api/v1/tasks/${task}/trigger`, {
      method: "POST",
      headers: { authorization: `Bearer ${server.secretKey}`, "content-type": "application/json" },
      body: JSON.stringify({ payload }),
    });
    return ((await response.json()) as { id: string }).id;
  };

  it("asks a visitor to sign in", async () => {
    const { page } = await openPage(browser);
    await page.goto(`${server.apiUrl}/orgs/default/projects/${server.projectRef}/env/prod/runs`);
    await page.waitForURL(/\/sign-in\?next=/);
    await page.getByRole("heading", { name: "Sign in to Acme" }).waitFor();
    await page.context().close();
  });

  it("is served with a strict policy", async () => {
    const response = await fetch(`${server.apiUrl}/sign-in`);
    const policy = response.headers.get("content-security-policy") ?? "";
    expect(policy).toContain("default-src 'none'");
    expect(policy).toMatch(/script-src 'self'(;|$)/);
    expect(policy).toContain("frame-ancestors 'none'");
    expect(await response.text()).not.toMatch(/<script>/);
  });

  it("signs in by the printed link, once", async () => {
    const link = await eventually(
      "the link is printed",
      () => /https?:\/\/\S+magic-link\S+/.exec(server.output())?.[0],
    );
    await watched.page.goto(link);
    await watched.page.waitForURL(/\/env\/prod\/runs$/);
    await watched.page.getByRole("heading", { name: "Runs", exact: true }).waitFor();

    const second = await openPage(browser);
    await second.page.goto(link);
    await second.page.waitForURL(/\/sign-in/);
    await second.page.context().close();
  });

  it("shows a run from queued to completed, with its logs as they are written, without a reload", async () => {
    const { page } = watched;
    const id = await trigger("slow", { name: "<img src=x onerror=alert(1)>" });
    const row = page.locator(`[data-run="${id}"]`);
    await row.waitFor();
    await row.locator('[data-status="EXECUTING"]').waitFor();
    await row.getByRole("link").click();
    await page.waitForURL(new RegExp(`/runs/${id}$`));
    const logs = page.getByRole("region", { name: "Logs" });
    // The first lines are shown while the run is still executing.
    await logs.getByText("Line 2 for").waitFor();
    expect(await page.locator('[data-status="EXECUTING"]').count()).toBe(1);
    await page.locator('[data-status="COMPLETED"]').waitFor();
    await logs.getByText("Line 8 for").waitFor();
    await page.getByRole("region", { name: "Output" }).getByText("Hello, ").waitFor();
    // User data is text, never markup.
    expect(await page.locator("img").count()).toBe(0);
    await page.goBack();
    await row.locator('[data-status="COMPLETED"]').waitFor();
  });

  it("cancels a run and replays it, by keyboard alone", async () => {
    const { page } = watched;
    const id = await trigger("hold", {});
    const row = page.locator(`[data-run="${id}"]`);
    await eventually("the row is there", async () => {
      if (await newRuns().isVisible()) await newRuns().click();
      return row.isVisible();
    });
    await row.locator('[data-status="EXECUTING"]').waitFor();
    await page.keyboard.press("j");
    await page.keyboard.press("Enter");
    await page.waitForURL(new RegExp(`/runs/${id}$`));
    await page.locator('[data-status="EXECUTING"]').waitFor();
    await page.keyboard.press("c");
    await page.locator('[data-status="CANCELED"]').waitFor();
    await page.keyboard.press("r");
    await page.waitForURL((url) => url.pathname.includes("/runs/run_") && !url.pathname.endsWith(id));
    await page.locator('[data-status="EXECUTING"]').waitFor();
    await page.keyboard.press("c");
    await page.locator('[data-status="CANCELED"]').waitFor();
  });

  it("keeps the view in the address: a shared link shows the same filter", async () => {
    const { page } = watched;
    await page.keyboard.press("g");
    await page.keyboard.press("r");
    await page.waitForURL(/\/runs$/);
    await page.keyboard.press("/");
    await page.keyboard.type("status:canceled");
    await page.keyboard.press("Enter");
    await page.waitForURL(/\?status=CANCELED$/);
    await eventually("only canceled runs are listed", async () => {
      if (await newRuns().isVisible()) await newRuns().click();
      const shown = await page
        .locator("[data-run] [data-status]")
        .evaluateAll((all) => all.map((e) => e.getAttribute("data-status")));
      return shown.length === 2 && shown.every((status) => status === "CANCELED");
    });
    const again = await page.context().newPage();
    await again.goto(page.url());
    await again.locator("[data-run]").first().waitFor();
    expect(await again.locator("[data-run]").count()).toBe(2);
    await again.close();
  });

  const open = async (path: string) => {
    await watched.page.goto(`${server.apiUrl}/orgs/default/projects/${server.projectRef}/env/prod/${path}`);
  };

  it("starts a run from the test page, and shows its log beside the payload", async () => {
    const { page } = watched;
    await open("test/slow");
    const editor = page.getByRole("textbox", { name: "Payload as JSON" });
    await editor.click();
    await page.keyboard.press("Control+a");
    await page.keyboard.type('{"name":"the tester"');
    await page.keyboard.press("Control+Enter");
    await page.getByText("The payload is no JSON").waitFor();
    await page.keyboard.type("}");
    await page.keyboard.press("Control+Enter");
    await page.getByText("Line 1 for the tester").waitFor();
    await page.locator('[data-status="COMPLETED"]').waitFor();
    await page.getByRole("region", { name: "Output" }).getByText("Hello, the tester").waitFor();
    // What was sent is offered again, to this person wherever they sign in.
    await page.getByRole("button", { name: '{ "name": "the tester" }' }).waitFor();
    await page.reload();
    await page.getByRole("button", { name: '{ "name": "the tester" }' }).click();
    await eventually("the payload is filled in", async () =>
      (await editor.textContent())?.includes("the tester"),
    );
  });

  it("lets a person complete what a run waits for, and the run resumes", async () => {
    const { page } = watched;
    const id = await trigger("ask", { order: "A1" });
    await open("inbox");
    await page.getByText("order:A1").waitFor();
    await page.keyboard.press("j");
    await page.keyboard.press("Enter");
    await page.getByRole("button", { name: "Approve" }).waitFor();
    await page.keyboard.press("a");
    await page.getByText("Nothing waits for an answer").waitFor();
    await open(`runs/${id}`);
    await page.locator('[data-status="COMPLETED"]').waitFor();
    await page.getByRole("region", { name: "Output" }).getByText("shipped").waitFor();
    await page.locator('[data-span="token"]').waitFor();
  });

  it("pauses a queue: its runs wait until it is resumed", async () => {
    const { page } = watched;
    await open("queues");
    await page.getByRole("button", { name: "Pause task/quick" }).click();
    await page.getByRole("button", { name: "Resume task/quick" }).waitFor();
    const id = await trigger("quick", {});
    await open(`runs/${id}`);
    await page.locator('[data-status="QUEUED"]').waitFor();
    await page
      .getByTestId("headline")
      .getByText(/paused/)
      .waitFor();
    await page.getByTestId("headline").getByRole("link", { name: "Queue task/quick" }).waitFor();
    await open("queues");
    await page.getByRole("button", { name: "Resume task/quick" }).click();
    await open(`runs/${id}`);
    await page.locator('[data-status="COMPLETED"]').waitFor();
  });

  it("pauses and overrides a limit that tasks share", async () => {
    const { page } = watched;
    await open("limits");
    await page.getByRole("button", { name: "Pause vendor" }).click();
    await page.getByRole("button", { name: "Resume vendor" }).waitFor();
    const id = await trigger("limited", {});
    await page.getByText("vendor", { exact: true }).first().click();
    await page.getByLabel("Total").fill("5");
    await page.getByRole("button", { name: "Override", exact: true }).click();
    await page.getByText("0 / 5").waitFor();
    await page.getByLabel("One concurrency key").fill("customer-7");
    await page.getByRole("button", { name: "Look up" }).click();
    await page.getByText("0 running, no limit").waitFor();
    await page.getByRole("button", { name: "Reset", exact: true }).click();
    await page.getByText("0 / 3").waitFor();
    await page.getByRole("button", { name: "Resume", exact: true }).click();
    await open(`runs/${id}`);
    await page.locator('[data-status="COMPLETED"]').waitFor();
  });

  it("creates, edits and deletes a schedule", async () => {
    const { page } = watched;
    await open("schedules");
    await page.getByRole("button", { name: "New schedule" }).first().click();
    await page.getByLabel("Task", { exact: true }).fill("nightly");
    await page.getByLabel("Cron expression").fill("15 4 * * *");
    await page.getByText("At 04:15").waitFor();
    await page.getByLabel("Time zone").fill("Europe/Berlin");
    await page.keyboard.press("Control+Enter");
    const pane = page.getByRole("complementary", { name: "nightly" });
    await pane.getByRole("button", { name: "Edit" }).click();
    await page.getByLabel("Cron expression").fill("nonsense");
    await page.getByRole("button", { name: "Save" }).click();
    await page.getByRole("alert").waitFor();
    await page.getByLabel("Cron expression").fill("30 5 * * *");
    await page.getByRole("button", { name: "Save" }).click();
    await pane.getByText("30 5 * * *").waitFor();
    await pane.getByRole("button", { name: "Delete" }).click();
    await page.getByRole("button", { name: "Delete the schedule" }).click();
    await pane.waitFor({ state: "detached" });
  });

  it("rolls back to the previous version, and promotes the newer one again", async () => {
    const { page } = watched;
    await deployTaskFile(server, `${TASKS}\nexport const added = task({ id: "added", run: async () => 1 });`);
    await open("deployments");
    const rows = page.locator("[data-row]");
    await eventually("both versions are listed", async () => (await rows.count()) === 2);
    await rows.nth(1).hover();
    await rows.nth(1).getByRole("button", { name: "Roll back" }).click();
    await page.getByText("can't be triggered then").waitFor();
    await page.getByRole("dialog").getByRole("button", { name: "Roll back" }).click();
    await rows.nth(1).getByText("Current").waitFor();
    await rows.nth(0).hover();
    await rows.nth(0).getByRole("button", { name: "Promote" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Promote" }).click();
    await rows.nth(0).getByText("Current").waitFor();
  });

  it("shows user data as text: markup, a task named __proto__, a line of 1 MB", async () => {
    const { page } = watched;
    const id = await trigger("__proto__", { html: "<img src=x onerror=alert(1)>" });
    await open(`runs/${id}`);
    await page.locator('[data-status="COMPLETED"]').waitFor();
    await page.getByRole("heading", { name: "__proto__" }).waitFor();
    const logs = page.getByRole("region", { name: "Logs" });
    await logs.getByText("<img src=x onerror=alert(1)>").waitFor();
    const long = logs.locator('[role="row"]').filter({ hasText: "xxxxxxxxxx" });
    await long.waitFor();
    expect(((await long.textContent()) ?? "").length).toBeLessThan(1_000);
    expect(await page.locator("img").count()).toBe(0);
  });

  it("sets variables from lines of a .env file, and shows what changes first", async () => {
    const { page } = watched;
    await open("variables");
    await page.getByText("No variable yet").waitFor();
    await page.keyboard.press("n");
    await page.getByLabel("Lines of a .env file").fill('REGION=eu\nTOKEN="a b"');
    await page.getByText("2 changes of prod").waitFor();
    await page.getByLabel(/^Secret/).uncheck();
    await page.getByRole("button", { name: "Set 2 variables" }).click();
    const cell = page.getByRole("button", { name: "Set REGION of Production" });
    await cell.getByText("eu").waitFor();
    await cell.click();
    await page.getByText("Nothing changes").waitFor();
    await page.getByLabel("Lines of a .env file").fill("REGION=us");
    await page.getByText("was eu").waitFor();
    await page.keyboard.press("Escape");
  });

  it("creates, rotates and revokes keys, and shows each once", async () => {
    const { page } = watched;
    const works = async (key: string) =>
      (await fetch(`${server.apiUrl}/api/v1/runs`, { headers: { authorization: `Bearer ${key}` } })).ok;
    await open("keys");
    await page.getByRole("button", { name: /^New key/ }).click();
    await page.getByLabel("What it is for").fill("web");
    await page.getByRole("button", { name: "Create the key" }).click();
    const shown = page.getByLabel("The key", { exact: true });
    const first = (await shown.textContent()) ?? "";
    expect(first).toMatch(/^tr_prod_sk_[0-9a-zA-Z]{24}$/);
    await page.getByRole("button", { name: "Done" }).click();
    const row = (key: string) => page.locator("[data-row]").filter({ hasText: key.slice(0, 15) });
    await row(first).getByText("accepted").waitFor();
    expect(await page.getByText(first).count()).toBe(0);
    await row(first)
      .getByRole("button", { name: /^Rotate/ })
      .click();
    await page.getByRole("button", { name: "Rotate the key" }).click();
    const second = (await shown.textContent()) ?? "";
    await page.getByRole("button", { name: "Done" }).click();
    await row(first).getByText("ends").waitFor();
    expect([await works(first), await works(second)]).toEqual([true, true]);
    await row(second)
      .getByRole("button", { name: /^Revoke/ })
      .click();
    await page.getByRole("button", { name: "Revoke the key" }).click();
    await row(second).waitFor({ state: "detached" });
    await eventually("it is refused", async () => !(await works(second)));
    expect(await works(first)).toBe(true);
  });

  it("allows the login of a terminal after its code was compared, and revokes its token", async () => {
    const { page } = watched;
    const post = async <T>(path: string, body: object): Promise<T> => {
      const headers = { "content-type": "application/json" };
      const init = { method: "POST", headers, body: JSON.stringify(body) };
      return (await fetch(`${server.apiUrl}${path}`, init)).json() as Promise<T>;
    };
    const begun = await post<{ deviceCode: string; userCode: string }>("/api/v1/device/code", {
      clientName: "ada@laptop",
    });
    await page.goto(`${server.apiUrl}/device`);
    await page.getByLabel("Code").fill(begun.userCode.toLowerCase().replace("-", ""));
    await page.getByRole("button", { name: "Continue" }).click();
    await page.getByRole("heading", { name: "Allow ada@laptop to log in as you?" }).waitFor();
    await page.getByText(begun.userCode).waitFor();
    await page.getByRole("checkbox", { name: /^deploy/ }).uncheck();
    expect(await axeProblems(page)).toEqual([]);
    await page.getByRole("button", { name: "Approve" }).click();
    await page.getByRole("heading", { name: "You are logged in" }).waitFor();
    const { token, scopes } = await post<{ token: string; scopes: string[] }>("/api/v1/device/token", {
      deviceCode: begun.deviceCode,
    });
    expect(scopes).toEqual(["read", "write"]);
    await open("access-tokens");
    await page.getByRole("button", { name: /^Revoke ada@laptop/ }).click();
    await page.getByRole("button", { name: "Revoke the token" }).click();
    await page.getByText("You have no access token").waitFor();
    const headers = { authorization: `Bearer ${token}` };
    const refused = async () =>
      (await fetch(`${server.apiUrl}/api/v1/access-token`, { headers })).status === 401;
    await eventually("it is refused", refused);
  });

  it("cancels all runs that match a filter, also those that are not loaded", async () => {
    const { page } = watched;
    const create = () =>
      fetch(`${server.apiUrl}/api/v1/tasks/quick/trigger`, {
        method: "POST",
        headers: { authorization: `Bearer ${server.secretKey}`, "content-type": "application/json" },
        body: JSON.stringify({ payload: {}, options: { delay: "1h", tags: ["many"] } }),
      });
    for (let n = 0; n < 130; n += 26) await Promise.all(Array.from({ length: 26 }, create));
    await open("runs?tag=many&status=DELAYED");
    await eventually("there is more than one page of them", async () => {
      if ((await page.getByText("100+").count()) > 0) return true;
      await page.reload();
      await page.locator("[data-run]").first().waitFor();
      return false;
    });
    await page.keyboard.press("Control+a");
    await page.getByRole("button", { name: "Select all that match" }).click();
    await page.keyboard.press("c");
    await page.getByRole("button", { name: "Cancel all runs that match" }).click();
    await page.getByTestId("bulk").getByText("130 of 130 runs canceled").waitFor();
    await page.keyboard.press("Escape");
  });

  it("shows a viewer no button that would be refused, and the API refuses it anyway", async () => {
    const id = await trigger("hold", {});
    const { adminToken } = JSON.parse(readFileSync(join(server.dataDir, "secrets.json"), "utf8")) as {
      adminToken: string;
    };
    const answer = await fetch(`${server.apiUrl}/admin/v1/sign-in-links`, {
      method: "POST",
      headers: { authorization: `Bearer ${adminToken}`, "content-type": "application/json" },
      body: JSON.stringify({ email: "viewer@example.com", organization: "default", role: "viewer" }),
    });
    const { url } = (await answer.json()) as { url: string };
    const { page } = await openPage(browser);
    await page.goto(url);
    await page.waitForURL(/\/runs$/);
    const me = (await (await page.request.get(`${server.apiUrl}/api/v1/me`)).json()) as {
      organizations: { projects: { environments: { id: string; slug: string }[] }[] }[];
    };
    const environment = me.organizations[0]?.projects[0]?.environments.find(({ slug }) => slug === "prod");
    await page.goto(`${server.apiUrl}/r/${id}`);
    await page.locator('[data-status="EXECUTING"]').waitFor();
    expect(await page.getByRole("button", { name: "Cancel", exact: true }).count()).toBe(0);
    expect(await page.getByRole("button", { name: "Replay", exact: true }).count()).toBe(0);
    expect(await page.getByRole("link", { name: "Test" }).count()).toBe(0);
    await page.keyboard.press("c");
    await page.goto(`${server.apiUrl}/orgs/default/projects/${server.projectRef}/env/prod/keys`);
    await page.locator("[data-row]").first().waitFor();
    expect(await page.getByRole("button", { name: /New key|Rotate|Revoke/ }).count()).toBe(0);
    await page.goto(
      `${server.apiUrl}/orgs/default/projects/${server.projectRef}/env/prod/limits?limit=vendor`,
    );
    await page.getByRole("button", { name: "Look up" }).waitFor();
    expect(await page.getByRole("button", { name: /Pause|Resume|Override|Reset/ }).count()).toBe(0);
    const refused = await page.request.post(`${server.apiUrl}/api/v2/runs/${id}/cancel`, {
      headers: { "x-acme-environment": environment?.id ?? "", origin: server.apiUrl },
      data: {},
    });
    expect(refused.status()).toBe(403);
    const run = await page.request.get(`${server.apiUrl}/api/v3/runs/${id}`, {
      headers: { "x-acme-environment": environment?.id ?? "" },
    });
    expect(((await run.json()) as { status: string }).status).toBe("EXECUTING");
    await page.context().close();
  });

  describe("people who sign in", () => {
    const EMAIL = "ada@acme.localhost";
    let page: Page;
    /** The same server by its host name, because passkeys belong to one. */
    let site: string;

    beforeAll(async () => {
      site = server.apiUrl.replace("127.0.0.1", "localhost");
      ({ page } = await openPage(browser));
    });
    afterAll(() => page?.context().close());

    const isIn = () => page.waitForURL(/\/env\/prod\/runs$/);
    /** Returns a link that signs a member in once. */
    async function linkFor(email: string): Promise<string> {
      const { adminToken } = JSON.parse(readFileSync(join(server.dataDir, "secrets.json"), "utf8")) as {
        adminToken: string;
      };
      const answer = await fetch(`${server.apiUrl}/admin/v1/sign-in-links`, {
        method: "POST",
        headers: { authorization: `Bearer ${adminToken}`, "content-type": "application/json" },
        body: JSON.stringify({ email, organization: "default", role: "developer" }),
      });
      return ((await answer.json()) as { url: string }).url.replace("127.0.0.1", "localhost");
    }
    async function signOut(): Promise<void> {
      await page.goto(`${site}/`);
      await isIn();
      await page
        .getByRole("button", { name: /^(Ada|ada|A)\b/i })
        .last()
        .click();
      await page.getByRole("menuitem", { name: "Sign out" }).click();
      await page.waitForURL(/\/sign-in/);
    }

    it("see the sign-in methods of this server, and why a sign-in failed", async () => {
      await page.goto(`${site}/sign-in?error=state_mismatch`);
      await page.getByRole("alert").getByText("Start again").waitFor();
      await page.getByRole("button", { name: "Sign in with Keycloak" }).waitFor();
      await page.getByRole("button", { name: "Sign in with a passkey" }).waitFor();
      await page.getByRole("button", { name: "Print a sign-in link" }).waitFor();
      expect(await page.getByRole("button", { name: /GitHub|Google/ }).count()).toBe(0);
      expect(await axeProblems(page)).toEqual([]);
      await page.getByRole("button", { name: "Sign in with Keycloak" }).click();
      await page.getByLabel("Address at the issuer").fill(EMAIL);
      await page.getByRole("button", { name: "Cancel" }).click();
      await page.getByText("You did not allow it there").waitFor();
      await page.getByRole("button", { name: "Sign in with Keycloak" }).click();
      await page.getByLabel("Address at the issuer").fill(EMAIL);
      await page.getByRole("button", { name: "Continue" }).click();
      await page.getByText("Nobody has invited this address").waitFor();
    });

    it("sign in with an OpenID Connect issuer once they are members", async () => {
      await page.goto(await linkFor(EMAIL));
      await isIn();
      await signOut();
      await page.getByRole("button", { name: "Sign in with Keycloak" }).click();
      await page.getByLabel("Address at the issuer").fill(EMAIL);
      await page.getByRole("button", { name: "Continue" }).click();
      await isIn();
    });

    it("see their sign-in methods, unlink one, and link an account with another address", async () => {
      await page.goto(`${site}/account`);
      const providers = page.getByRole("list", { name: "Sign-in providers" });
      await providers.getByText("Linked").waitFor();
      await providers.getByRole("button", { name: "Unlink Keycloak" }).click();
      await providers.getByRole("button", { name: "Link Keycloak" }).click();
      await page.getByLabel("Address at the issuer").fill("ada@elsewhere.example");
      await page.getByRole("button", { name: "Cancel" }).click();
      await page.getByText("so nothing was linked").waitFor();
      await providers.getByRole("button", { name: "Link Keycloak" }).click();
      await page.getByLabel("Address at the issuer").fill("ada@elsewhere.example");
      await page.getByRole("button", { name: "Continue" }).click();
      await providers.getByRole("button", { name: "Unlink Keycloak" }).waitFor();
      expect(await axeProblems(page)).toEqual([]);
      await signOut();
      await page.getByRole("button", { name: "Sign in with Keycloak" }).click();
      await page.getByLabel("Address at the issuer").fill("ada@elsewhere.example");
      await page.getByRole("button", { name: "Continue" }).click();
      await isIn();
      await page.goto(`${site}/account`);
      await page.getByText(EMAIL).waitFor();
    });

    it("add a passkey, sign in with it, rename and delete it", async () => {
      const devtools = await page.context().newCDPSession(page);
      await devtools.send("WebAuthn.enable");
      await devtools.send("WebAuthn.addVirtualAuthenticator", {
        options: {
          protocol: "ctap2",
          transport: "internal",
          hasResidentKey: true,
          hasUserVerification: true,
          isUserVerified: true,
          automaticPresenceSimulation: true,
        },
      });
      await page.goto(`${site}/account`);
      await page.getByText("You have no passkey yet.").waitFor();
      await page.getByRole("button", { name: "Add a passkey" }).click();
      await page.getByRole("textbox", { name: "Name" }).fill("Laptop");
      await page.getByRole("button", { name: "Continue" }).click();
      const passkeys = page.getByRole("list", { name: "Passkeys" });
      await passkeys.getByText("Laptop").waitFor();
      expect(await axeProblems(page)).toEqual([]);
      await passkeys.getByRole("button", { name: "Rename Laptop" }).click();
      await page.getByRole("textbox", { name: "Name" }).fill("Work laptop");
      await page.getByRole("button", { name: "Rename", exact: true }).click();
      await passkeys.getByText("Work laptop").waitFor();
      await passkeys.getByText("never used").waitFor();

      await signOut();
      await page.getByRole("button", { name: "Sign in with a passkey" }).click();
      await isIn();
      await page.goto(`${site}/account`);
      await passkeys.getByText("last used").waitFor();
      await passkeys.getByRole("button", { name: "Delete Work laptop" }).click();
      await page.getByRole("button", { name: "Delete the passkey" }).click();
      await page.getByText("You have no passkey yet.").waitFor();

      await signOut();
      await page.getByRole("button", { name: "Sign in with a passkey" }).click();
      await page.getByRole("alert").getByText("Passkey not found").waitFor();
    });

    it("see their sessions, and end the others", async () => {
      await page.goto(await linkFor(EMAIL));
      await isIn();
      const other = await openPage(browser);
      await other.page.goto(await linkFor(EMAIL));
      await other.page.waitForURL(/\/env\/prod\/runs$/);
      await page.goto(`${site}/account`);
      const sessions = page.getByRole("list", { name: "Sessions" });
      await sessions.getByText("this one").waitFor();
      const before = await sessions.getByRole("listitem").count();
      expect(before).toBeGreaterThanOrEqual(2);
      await sessions
        .getByRole("button", { name: /^Sign out/ })
        .first()
        .click();
      await eventually(
        "it is gone",
        async () => (await sessions.getByRole("listitem").count()) === before - 1,
      );
      await eventually("the other browser is asked to sign in", async () => {
        await other.page.goto(`${site}/`);
        return other.page.waitForURL(/\/sign-in/, { timeout: 2_000 }).then(
          () => true,
          () => false,
        );
      });
      await other.page.context().close();
    });

    it("see where passkeys work", async () => {
      await watched.page.goto(`${server.apiUrl}/account`);
      await watched.page.getByRole("link", { name: `${site}/account` }).waitFor();
      await watched.page.goto(`${server.apiUrl}/`);
      await watched.page.waitForURL(/\/env\/prod\/runs$/);
    });
  });

  it("goes anywhere with the palette, and lists every shortcut", async () => {
    const { page } = watched;
    await page.keyboard.press("Control+k");
    await page.getByRole("combobox", { name: "Search or run a command" }).fill("deploym");
    await page.keyboard.press("Enter");
    await page.waitForURL(/\/deployments$/);
    await page.keyboard.press("?");
    await page.getByRole("dialog").getByText("Go to runs").waitFor();
    await page.keyboard.press("Escape");
  });

  it.each(["light", "dark"] as const)(
    "has no page that axe finds fault with, theme %s",
    async (colorScheme) => {
      const { page } = watched;
      await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
      const failed = await trigger("fails", {});
      const paths = [
        "runs",
        `runs/${failed}`,
        "tasks",
        "inbox",
        "queues",
        "limits",
        "schedules",
        "deployments",
      ];
      const found: string[] = [];
      for (const path of [
        ...paths,
        "test/slow",
        "variables",
        "keys",
        "access-tokens",
        "members",
        "audit",
        "settings",
      ]) {
        await open(path);
        await page.getByRole("main").getByRole("heading", { level: 1 }).waitFor();
        await page.waitForLoadState("networkidle").catch(() => {});
        for (const { id, nodes } of await axeProblems(page)) {
          found.push(
            `${path}: ${id} at ${nodes
              .map(({ target }) => target.join(" "))
              .slice(0, 3)
              .join(" | ")}`,
          );
        }
      }
      expect(found).toEqual([]);
    },
  );

  it("reported no error and no violation of its policy", () => {
    // The cron expression that was refused above.
    const expected = /status of 422/;
    expect(watched.problems.filter((problem) => !expected.test(problem))).toEqual([]);
  });
});
