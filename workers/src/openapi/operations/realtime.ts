import type { Operations } from "../operation.ts";

export const REALTIME_OPERATIONS: Operations = {
  "/api/v1/live": {
    get: {
      id: "connectLive",
      summary:
        "Open a WebSocket for live subscriptions (subprotocol acme.live.1; see the SDK's contract/live.ts)",
      download: "application/json",
    },
  },
  "/realtime/v1/runs/{runId}": {
    get: {
      id: "watchRun",
      summary:
        "Poll a run and its changes, with the Electric protocol (for @trigger.dev/sdk and react-hooks)",
      download: "application/json",
    },
  },
  "/realtime/v1/runs": {
    get: {
      id: "watchRuns",
      summary: "Poll runs with tags and their changes, with the Electric protocol",
      download: "application/json",
    },
  },
  "/realtime/v1/batches/{batchId}": {
    get: {
      id: "watchBatch",
      summary: "Poll the runs of a batch and their changes, with the Electric protocol",
      download: "application/json",
    },
  },
  "/realtime/v1/streams/{runId}/{target}/{key}": {
    put: {
      id: "createStream",
      summary:
        "Create a stream of a run (target: self, parent or root), and return the protocol for writing to it",
      download: "application/json",
      status: 202,
    },
    post: {
      id: "writeStream",
      summary:
        "Append newline-delimited JSON to a stream, one chunk per line. Lines are stored as they arrive",
      download: "application/json",
    },
    get: {
      id: "getStreamPosition",
      summary:
        "Retrieve the index of a writer's last stored line, in the header X-Last-Chunk-Index (also with HEAD)",
      download: "application/json",
    },
  },
  "/realtime/v1/streams/{runId}/{target}/{key}/append": {
    post: {
      id: "appendToStream",
      summary: "Append the body, as text, to a stream of a run",
      download: "application/json",
    },
  },
  "/realtime/v1/streams/{runId}/{key}": {
    get: { id: "readStream", summary: "Read a stream as server-sent events", download: "text/event-stream" },
  },
  "/realtime/v1/streams/{runId}/input/{key}": {
    post: { id: "sendInput", summary: "Send a value to a running task", download: "application/json" },
    get: {
      id: "readInput",
      summary: "Read the values sent to a task, as server-sent events",
      download: "text/event-stream",
    },
  },
  "/api/v1/runs/{runId}/input-streams/wait": {
    post: {
      id: "waitForInput",
      summary: "Create a token that the next value sent to a task completes",
      download: "application/json",
    },
  },
};
