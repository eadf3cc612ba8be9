import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { type Browser, type BrowserContextOptions, chromium, type Page } from "playwright-core";

const PLACES = ["/usr/bin/chromium-headless-shell", "/usr/bin/chromium"];

/** Debian's Chromium. @throws Error that says how to install it */
export async function openBrowser(): Promise<Browser> {
  const executablePath = PLACES.find((path) => existsSync(path));
  if (!executablePath) throw new Error("Chromium is missing: run scripts/setup-machine.sh");
  return chromium.launch({ executablePath, args: ["--no-sandbox"] });
}

export interface WatchedPage {
  page: Page;
  /** What the page reported: errors of scripts, violations of its policy, failed loads. */
  problems: string[];
}

/** A page in a separate context, which records all problems on it. */
export async function openPage(browser: Browser, options: BrowserContextOptions = {}): Promise<WatchedPage> {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, ...options });
  const page = await context.newPage();
  const problems: string[] = [];
  page.on("pageerror", (error) => problems.push(String(error.stack ?? error)));
  page.on("console", (message) => {
    if (message.type() === "error") problems.push(message.text());
  });
  return { page, problems };
}

const AXE = createRequire(import.meta.url).resolve("axe-core/axe.min.js");

export interface AxeProblem {
  id: string;
  nodes: { target: string[] }[];
}

/** What axe finds on a page. Its code is evaluated by the debugger, which the page's policy does not cover. */
export async function axeProblems(page: Page): Promise<AxeProblem[]> {
  await page.evaluate(readFileSync(AXE, "utf8"));
  const result = await page.evaluate("axe.run(document, { resultTypes: ['violations'] })");
  return (result as { violations: AxeProblem[] }).violations;
}
