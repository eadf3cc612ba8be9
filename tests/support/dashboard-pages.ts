import type { Page } from "playwright-core";

/** Every page of an environment. */
export const PAGES = [
  "runs",
  "tasks",
  "errors?status=all",
  "logs",
  "metrics",
  "query",
  "alerts",
  "alerts?tab=channels",
  "alerts?tab=deliveries",
  "inbox",
  "queues",
  "limits",
  "schedules",
  "batches",
  "bulk-actions",
  "deployments",
  "hosts",
  "test/greet",
  "variables",
  "keys",
  "access-tokens",
  "members",
  "usage",
  "audit",
  "settings",
] as const;

/** Waits until a page shows what it has asked for: nothing stands for what is still loading. */
export async function loaded(page: Page): Promise<void> {
  await page.getByRole("main").getByRole("heading", { level: 1 }).waitFor();
  await page.locator("main .skeleton, main [aria-busy=true]").first().waitFor({ state: "detached" });
}

/** Opens what the first row of a list stands for, beside the list. Without a row, or where rows open nothing, nothing happens. */
export async function openFirstRow(page: Page): Promise<void> {
  const row = page.getByRole("main").locator("[data-row]").first();
  if ((await row.count()) === 0) return;
  await row.click({ position: { x: 3, y: 3 } });
  await loaded(page);
}

/** The operations that the controls in sight declare. */
export const declaredOperations = (page: Page): Promise<string[]> =>
  page
    .locator("[data-operation]")
    .evaluateAll((controls) => controls.map((control) => control.getAttribute("data-operation") ?? ""));

/** What of a page lies beyond its right or left edge, where nothing scrolls to it. */
export const cutOff = (page: Page): Promise<string[]> =>
  page.evaluate(() => {
    const found: string[] = [];
    const overflow = document.documentElement.scrollWidth - window.innerWidth;
    if (overflow > 0) found.push(`the page is ${overflow} px too wide`);
    for (const element of document.querySelectorAll(
      "h1, h2, button, a, input, select, textarea, p, [role=gridcell]",
    )) {
      const { left, right, width, height } = element.getBoundingClientRect();
      // What only screen readers get has no size.
      if (width <= 1 || height <= 1 || (right <= window.innerWidth + 1 && left >= -1)) continue;
      let scroller = element.parentElement;
      while (
        scroller &&
        !(
          ["auto", "scroll"].includes(getComputedStyle(scroller).overflowX) &&
          scroller.scrollWidth > scroller.clientWidth
        )
      )
        scroller = scroller.parentElement;
      if (!scroller)
        found.push(
          `${element.tagName.toLowerCase()} “${(element.textContent ?? "").trim().slice(0, 40)}” from ${Math.round(left)} to ${Math.round(right)} px`,
        );
    }
    return found;
  });
