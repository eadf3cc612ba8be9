import { z } from "zod";
import { QueryText, wholeNumber } from "./queries.ts";

export const ALERT_LIMITS = {
  channels: 20,
  rules: 50,
  channelsOfRule: 10,
  addresses: 10,
  namesOfRule: 50,
  urlLength: 2_000,
  nameLength: 100,
  /** The longest window of a rate: counts by the minute are kept for this long. */
  windowMinutes: 360,
  intervalMinutes: 7 * 24 * 60,
} as const;

const Time = z.iso.datetime();
const Name = z.string().trim().min(1).max(ALERT_LIMITS.nameLength);
const Names = z.array(z.string().min(1).max(512)).min(1).max(ALERT_LIMITS.namesOfRule);
const Address = z.email().max(254);
const Url = z.string().min(1).max(ALERT_LIMITS.urlLength);

export const CreateAlertChannelBody = z.discriminatedUnion("type", [
  /**
   * A POST of JSON, signed as the Standard Webhooks specification says. If no secret is given, the response
   * contains a new one.
   */
  z.object({
    type: z.literal("webhook"),
    name: Name,
    url: Url,
    secret: z
      .string()
      .regex(/^whsec_[A-Za-z0-9+/]{32,88}={0,2}$/, "A secret is whsec_ and 24 to 64 bytes in base64")
      .optional(),
  }),
  z.object({
    type: z.literal("email"),
    name: Name,
    addresses: z.array(Address).min(1).max(ALERT_LIMITS.addresses),
  }),
  /** An incoming webhook of Slack, or of a service that accepts the same messages. */
  z.object({ type: z.literal("slack"), name: Name, url: Url }),
]);
export type CreateAlertChannelBody = z.output<typeof CreateAlertChannelBody>;

export const AlertChannel = z.object({
  id: z.string(),
  type: z.enum(["webhook", "email", "slack"]),
  name: z.string(),
  /** The destination without its secrets: the host of a URL, or the addresses. */
  target: z.string(),
  createdAt: Time,
});
export type AlertChannel = z.infer<typeof AlertChannel>;

export const CreatedAlertChannel = AlertChannel.extend({
  /** A webhook's secret. It is shown only here. */
  secret: z.string().optional(),
});
export type CreatedAlertChannel = z.infer<typeof CreatedAlertChannel>;

export const ListAlertChannelsResponse = z.object({ data: z.array(AlertChannel) });

const Window = z.number().int().min(1).max(ALERT_LIMITS.windowMinutes);

export const AlertCondition = z.discriminatedUnion("type", [
  /** Failed runs: each failure (one notice per task and interval), or a failure rate within a window. */
  z.object({
    type: z.literal("run_failed"),
    tasks: Names.optional(),
    threshold: z
      .union([
        z.object({ failures: z.number().int().min(1).max(1e9), windowMinutes: Window }),
        z.object({
          /** The percentage of the runs that succeeded or failed in the window. */
          percent: z.number().gt(0).max(100),
          windowMinutes: Window,
          minimumRuns: z.number().int().min(1).max(1e9).default(10),
        }),
      ])
      .optional(),
  }),
  /** An error that is new, or that recurred after it was resolved or ignored. */
  z.object({
    type: z.literal("error"),
    tasks: Names.optional(),
    on: z
      .array(z.enum(["new", "reopened"]))
      .min(1)
      .max(2)
      .default(["new", "reopened"]),
  }),
  z.object({ type: z.literal("deployment_failed") }),
  /**
   * A queue in which more runs wait than this, or whose runs waited longer than this (95th percentile of the
   * last five minutes).
   */
  z
    .object({
      type: z.literal("queue"),
      queues: Names.optional(),
      depth: z.number().int().min(1).max(1e9).optional(),
      delaySeconds: z.number().min(1).max(86_400).optional(),
    })
    .refine(({ depth, delaySeconds }) => depth !== undefined || delaySeconds !== undefined, {
      message: "Give depth, delaySeconds or both",
    }),
]);
export type AlertCondition = z.output<typeof AlertCondition>;

const RuleFields = {
  name: Name,
  condition: AlertCondition,
  channels: z.array(z.string().min(1).max(64)).min(1).max(ALERT_LIMITS.channelsOfRule),
  enabled: z.boolean().default(true),
  /** At most one notice per subject (a task, an error, a queue) in this time. */
  intervalMinutes: z.number().int().min(1).max(ALERT_LIMITS.intervalMinutes).default(60),
};

export const AlertRuleBody = z.object(RuleFields);
export type AlertRuleBody = z.output<typeof AlertRuleBody>;

export const AlertRule = z.object({
  ...RuleFields,
  id: z.string(),
  createdAt: Time,
  updatedAt: Time,
});
export type AlertRule = z.output<typeof AlertRule>;

export const ListAlertRulesResponse = z.object({ data: z.array(AlertRule) });

export const ALERT_TYPES = [
  "alert.run.failed",
  "alert.run.rate",
  "alert.error",
  "alert.deployment.failed",
  "alert.queue",
  "alert.test",
] as const;
export type AlertType = (typeof ALERT_TYPES)[number];

export const AlertDelivery = z.object({
  id: z.string(),
  type: z.enum(ALERT_TYPES),
  /** The notice in one line. */
  title: z.string(),
  ruleId: z.string().nullable(),
  channelId: z.string(),
  channelName: z.string(),
  /** The destination: the host of a URL, or an address. */
  target: z.string(),
  status: z.enum(["pending", "delivered", "failed"]),
  attempts: z.number(),
  /** The HTTP status of the last response. Null: there was no response, or the channel has no status. */
  lastStatus: z.number().nullable(),
  lastError: z.string().nullable(),
  createdAt: Time,
  nextAttemptAt: Time.nullable(),
  completedAt: Time.nullable(),
});
export type AlertDelivery = z.infer<typeof AlertDelivery>;

export const ListAlertDeliveriesQuery = z.object({
  "filter[channel]": QueryText.optional(),
  "filter[status]": z.enum(["pending", "delivered", "failed"]).optional(),
  "page[size]": wholeNumber("Give a number from 1 to 100").pipe(z.number().min(1).max(100)).optional(),
  "page[after]": wholeNumber("Give `next` of a page").optional(),
});

export const ListAlertDeliveriesResponse = z.object({
  data: z.array(AlertDelivery),
  pagination: z.object({ next: z.string().optional() }),
});

export const DeletedAlert = z.object({ id: z.string() });
