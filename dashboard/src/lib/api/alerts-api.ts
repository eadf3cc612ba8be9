import type {
  AlertRuleBody,
  AlertChannel as Channel,
  CreateAlertChannelBody,
  CreatedAlertChannel,
  AlertDelivery as Delivery,
  AlertRule as Rule,
} from "@acme/sdk/contract/api";
import type { z } from "zod";
import { request } from "./request.ts";

export type AlertRule = Rule;
export type AlertChannel = Channel;
export type AlertDelivery = Delivery;
export type NewAlertRule = z.input<typeof AlertRuleBody>;
export type NewAlertChannel = z.input<typeof CreateAlertChannelBody>;

const PATH = "/api/v1/alerts";

/** The alerts of one environment. */
export class AlertsApi {
  constructor(private readonly environment: string) {}

  #call<T>(
    path: string,
    options: {
      method?: "GET" | "POST" | "PUT" | "DELETE";
      body?: unknown;
      query?: Record<string, string | number | undefined>;
      signal?: AbortSignal;
    } = {},
  ): Promise<T> {
    return request<T>(`${PATH}${path}`, { ...options, environment: this.environment });
  }

  async rules(signal?: AbortSignal): Promise<AlertRule[]> {
    return (await this.#call<{ data: AlertRule[] }>("/rules", { signal })).data;
  }
  saveRule(id: string | null, body: NewAlertRule): Promise<AlertRule> {
    return id === null
      ? this.#call("/rules", { method: "POST", body })
      : this.#call(`/rules/${encodeURIComponent(id)}`, { method: "PUT", body });
  }
  deleteRule(id: string): Promise<unknown> {
    return this.#call(`/rules/${encodeURIComponent(id)}`, { method: "DELETE" });
  }
  async channels(signal?: AbortSignal): Promise<AlertChannel[]> {
    return (await this.#call<{ data: AlertChannel[] }>("/channels", { signal })).data;
  }
  createChannel(body: NewAlertChannel): Promise<CreatedAlertChannel> {
    return this.#call("/channels", { method: "POST", body });
  }
  deleteChannel(id: string): Promise<unknown> {
    return this.#call(`/channels/${encodeURIComponent(id)}`, { method: "DELETE" });
  }
  async testChannel(id: string): Promise<AlertDelivery[]> {
    const path = `/channels/${encodeURIComponent(id)}/test`;
    return (await this.#call<{ data: AlertDelivery[] }>(path, { method: "POST", body: {} })).data;
  }
  deliveries(
    after: string | undefined,
    signal?: AbortSignal,
  ): Promise<{ data: AlertDelivery[]; pagination: { next?: string } }> {
    return this.#call("/deliveries", { query: { "page[size]": 50, "page[after]": after }, signal });
  }
}
