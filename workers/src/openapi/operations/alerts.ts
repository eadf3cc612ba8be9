import * as api from "@acme/sdk/contract/api";
import type { Operations } from "../operation.ts";

export const ALERTS_OPERATIONS: Operations = {
  "/api/v1/alerts/channels": {
    get: {
      id: "listAlertChannels",
      summary: "List alert channels",
      response: api.ListAlertChannelsResponse,
    },
    post: {
      id: "createAlertChannel",
      summary: "Create an alert channel: a webhook, mail addresses or a Slack webhook",
      body: api.CreateAlertChannelBody,
      response: api.CreatedAlertChannel,
      status: 201,
    },
  },
  "/api/v1/alerts/channels/{id}": {
    delete: {
      id: "deleteAlertChannel",
      summary: "Delete a channel. Its pending deliveries are dropped",
      response: api.DeletedAlert,
    },
  },
  "/api/v1/alerts/channels/{id}/test": {
    post: {
      id: "testAlertChannel",
      summary: "Send a test to a channel once, and return the result",
      response: api.ListAlertDeliveriesResponse.omit({ pagination: true }),
    },
  },
  "/api/v1/alerts/rules": {
    get: {
      id: "listAlertRules",
      summary: "List alert rules",
      response: api.ListAlertRulesResponse,
    },
    post: {
      id: "createAlertRule",
      summary: "Alert on failed runs, their rate, new errors, failed deployments, or queues",
      body: api.AlertRuleBody,
      response: api.AlertRule,
      status: 201,
    },
  },
  "/api/v1/alerts/rules/{id}": {
    put: {
      id: "updateAlertRule",
      summary: "Replace a rule",
      body: api.AlertRuleBody,
      response: api.AlertRule,
    },
    delete: {
      id: "deleteAlertRule",
      summary: "Delete a rule",
      response: api.DeletedAlert,
    },
  },
  "/api/v1/alerts/deliveries": {
    get: {
      id: "listAlertDeliveries",
      summary: "List the last thousand deliveries to channels and their results, newest first",
      query: api.ListAlertDeliveriesQuery,
      response: api.ListAlertDeliveriesResponse,
    },
  },
};
