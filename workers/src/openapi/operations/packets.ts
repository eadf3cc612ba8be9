import * as api from "@acme/sdk/contract/api";
import type { Operations } from "../operation.ts";

export const PACKETS_OPERATIONS: Operations = {
  "/api/v1/packets/{name}": {
    get: {
      id: "getPacketAddress",
      summary: "An address that a large payload or output can be downloaded from, for an hour",
      response: api.PacketAddress,
    },
    put: {
      id: "createPacketAddressV1",
      summary: "An address to upload a large payload to, for an hour; triggers then name it by `name`",
      response: api.PacketAddress,
    },
  },
  "/api/v2/packets/{name}": {
    put: {
      id: "createPacketAddress",
      summary: "An address to upload a large payload to, for an hour; triggers then name it by `storagePath`",
      response: api.PacketAddress,
    },
  },
  "/api/v1/packet": {
    get: {
      id: "downloadPacket",
      summary: "The address to download from: its query is signed",
      query: api.SignedPacketQuery,
      download: "*/*",
    },
    put: {
      id: "uploadPacket",
      summary: "The address to upload to: its query is signed. At most 10 MB of JSON, superjson or text",
      query: api.SignedPacketQuery,
      bytes: "*/*",
      response: api.StoredPacket,
    },
  },
};
