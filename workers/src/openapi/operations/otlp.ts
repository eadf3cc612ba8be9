import type { Operations } from "../operation.ts";

const PROTOBUF = "application/x-protobuf";

/** OTLP over HTTP: the schemas are OpenTelemetry's own. */
export const OTLP_OPERATIONS: Operations = {
  "/otel/v1/traces": {
    post: {
      id: "ingestTraces",
      summary:
        "Receive spans over OTLP: protobuf or JSON, by the content type, optionally compressed with gzip",
      bytes: PROTOBUF,
      download: PROTOBUF,
    },
  },
  "/otel/v1/logs": {
    post: {
      id: "ingestLogs",
      summary:
        "Receive log records over OTLP: protobuf or JSON, by the content type, optionally compressed with gzip",
      bytes: PROTOBUF,
      download: PROTOBUF,
    },
  },
  "/otel/v1/metrics": {
    post: {
      id: "ingestMetrics",
      summary:
        "Receive metrics over OTLP: protobuf or JSON, by the content type, optionally compressed with gzip",
      bytes: PROTOBUF,
      download: PROTOBUF,
    },
  },
};
