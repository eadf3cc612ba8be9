/** The tasks of a shop, for the screenshots. */
export const SHOP = `
import { concurrencyLimit, logger, metadata, queue, schedules, step, task, wait } from "@acme/sdk";
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
const mail = queue({ name: "mail", concurrencyLimit: 2, rateLimit: { limit: 100, period: "1m" } });
const payments = concurrencyLimit({ name: "payments", total: 3 });

export const sendEmail = task({
  id: "send-email",
  queue: mail,
  jsonSchema: {
    type: "object",
    required: ["to", "template"],
    properties: {
      to: { type: "string", format: "email", title: "To" },
      template: { enum: ["welcome", "receipt", "shipped", "password-reset"], title: "Template" },
    },
  },
  run: async ({ to, template }: { to: string; template: string }) => {
    logger.info("Sending " + template + " to " + to, { to, template });
    await step("render", async () => template.length);
    await step("deliver", async () => pause(40));
    return { messageId: "msg_" + template.length + to.length };
  },
});
export const chargeCard = task({
  id: "charge-card",
  concurrency: payments,
  retry: { maxAttempts: 2, minTimeoutInMs: 200, maxTimeoutInMs: 300 },
  run: async ({ order, amount }: { order: string; amount: number }) => {
    logger.info("Charging order " + order, { order, amount });
    if (amount > 900) throw new RangeError("Amount " + amount + " is above the limit of this card");
    if (amount > 700) {
      logger.error("The bank declined the payment", { order, code: "insufficient_funds" });
      throw new Error("The bank declined the payment: insufficient_funds");
    }
    return { order, charged: amount, currency: "EUR" };
  },
});
export const resizeImage = task({ id: "resize-image", run: async ({ width }: { width: number }) => { await pause(30 + width / 20); return { width, bytes: width * 312 }; } });
export const publishProduct = task({
  id: "publish-product",
  run: async ({ product, widths }: { product: string; widths: number[] }) => {
    metadata.set("product", product);
    logger.info("Publishing " + product, { product, images: widths.length });
    const checked = await step("check stock", async () => { await pause(80); return { stock: 14 }; });
    if (checked.stock < 20) logger.warn("Only " + checked.stock + " left of " + product, { product });
    const images = await resizeImage.batchTriggerAndWait(widths.map((width) => ({ payload: { width } })));
    await step("write page", async () => pause(120));
    await step("clear caches", async () => pause(60));
    logger.debug("Caches cleared in 3 regions");
    return { product, images: images.runs.length };
  },
});
export const importCatalog = task({ id: "import-catalog", run: async ({ supplier }: { supplier: string }) => {
  for (let page = 1; page <= 500; page++) { logger.info("Page " + page + " of 500 from " + supplier, { page, supplier }); await pause(1000); }
} });
export const refund = task({
  id: "refund-order",
  run: async ({ order, amount }: { order: string; amount: number }) => {
    const token = await wait.createToken({
      timeout: "7d",
      tags: ["order:" + order, "refund"],
      title: "Refund " + amount + " EUR for order " + order + "?",
      description: "The customer says the parcel never arrived. The carrier has no proof of delivery.",
      schema: { type: "object", required: ["approved", "reason"], properties: { approved: { type: "boolean", title: "Approved" }, amount: { type: "number", title: "Amount", default: amount }, reason: { type: "string", title: "Reason", maxLength: 200 } } },
    });
    const answer = await wait.forToken<{ approved: boolean }>(token);
    return answer.ok ? answer.output : null;
  },
});
export const report = schedules.task({ id: "nightly-report", cron: { pattern: "30 2 * * *", timezone: "Europe/Berlin" }, run: async () => "sent" });
export const digest = schedules.task({ id: "weekly-digest", run: async () => "sent" });
export const slowExport = task({ id: "export-orders", maxDuration: 5, run: async () => pause(600_000) });
`;

/** The differences of a later version. */
export const SHOP_LATER = `${SHOP.replace(/export const digest.*\n/, "")}
export const syncInventory = task({ id: "sync-inventory", run: async () => "in step" });
`;
