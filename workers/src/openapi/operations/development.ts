import * as api from "@acme/sdk/contract/api";
import type { Operations } from "../operation.ts";

export const DEVELOPMENT_OPERATIONS: Operations = {
  "/engine/v1/dev/versions": {
    post: {
      id: "registerDevelopment",
      summary: "Register the tasks of a developer's machine with a development environment (acme dev)",
      body: api.RegisterDevelopmentBody,
      response: api.RegisteredDevelopment,
      status: 201,
    },
  },
  "/engine/v1/dev/tunnel": {
    post: {
      id: "createTunnelTicket",
      summary: "Create the token with which acme dev opens its tunnel. It is valid for a minute",
      response: api.TunnelTicket,
    },
  },
  "/ws": {
    get: {
      id: "openTunnel",
      summary:
        "Opens the WebSocket through which acme dev gets runs (subprotocol acme.dev.1; see the SDK's contract/tunnel-protocol.ts)",
      download: "application/json",
    },
  },
};
