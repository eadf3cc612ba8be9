import * as api from "@acme/sdk/contract/api";
import type { Operations } from "../operation.ts";

export const PACKETS_OPERATIONS: Operations = {
  "/api/v1/packets/{name}": {
    get: {
      id: "getPacketAddress",
      summary: "Create an address to download a large payload or output from, valid for an hour",
      response: api.PacketAddress,
    },
    put: {
      id: "createPacketAddressV1",
      summary:
        "Create an address to upload a large payload to, valid for an hour. Triggers then refer to it by `name`",
      response: api.PacketAddress,
    },
  },
  "/api/v2/packets/{name}": {
    put: {
      id: "createPacketAddress",
      summary:
        "Create an address to upload a large payload to, valid for an hour. Triggers then refer to it by `storagePath`",
      response: api.PacketAddress,
    },
  },
  "/api/v1/packet": {
    get: {
      id: "downloadPacket",
      summary: "Download from a signed address",
      query: api.SignedPacketQuery,
      download: "*/*",
    },
    put: {
      id: "uploadPacket",
      summary: "Upload to a signed address. At most 10 MB of JSON, superjson or text",
      query: api.SignedPacketQuery,
      bytes: "*/*",
      response: api.StoredPacket,
    },
  },
};
