import type { Operations } from "../operation.ts";

const PROTOBUF = "application/x-protobuf";

/** OTLP over HTTP: the schemas are OpenTelemetry's own. */
export const OTLP_OPERATIONS: Operations = {
  "/otel/v1/traces": {
    post: {
      id: "ingestTraces",
      summary: "Take spans by OTLP: protobuf, or JSON by the content type; gzip as the content encoding",
      bytes: PROTOBUF,
      download: PROTOBUF,
    },
  },
  "/otel/v1/logs": {
    post: {
      id: "ingestLogs",
      summary:
        "Take log records by OTLP: protobuf, or JSON by the content type; gzip as the content encoding",
      bytes: PROTOBUF,
      download: PROTOBUF,
    },
  },
  "/otel/v1/metrics": {
    post: {
      id: "ingestMetrics",
      summary: "Take metrics by OTLP: protobuf, or JSON by the content type; gzip as the content encoding",
      bytes: PROTOBUF,
      download: PROTOBUF,
    },
  },
};
