import type { Operations } from "../operation.ts";

export const REALTIME_OPERATIONS: Operations = {
  "/api/v1/live": {
    get: {
      id: "connectLive",
      summary:
        "Opens a WebSocket for live subscriptions (subprotocol acme.live.1; see the SDK's contract/live.ts)",
      download: "application/json",
    },
  },
  "/realtime/v1/runs/{runId}": {
    get: {
      id: "watchRun",
      summary: "One run and its changes, by the Electric protocol (for @trigger.dev/sdk and react-hooks)",
      download: "application/json",
    },
  },
  "/realtime/v1/runs": {
    get: {
      id: "watchRuns",
      summary: "Runs with tags and their changes, by the Electric protocol",
      download: "application/json",
    },
  },
  "/realtime/v1/batches/{batchId}": {
    get: {
      id: "watchBatch",
      summary: "Runs of a batch and their changes, by the Electric protocol",
      download: "application/json",
    },
  },
  "/realtime/v1/streams/{runId}/{target}/{key}": {
    put: {
      id: "createStream",
      summary:
        "Creates a stream of a run (target: self, parent or root) and says which protocol writes to it",
      download: "application/json",
      status: 202,
    },
    post: {
      id: "writeStream",
      summary: "Appends to a stream: newline-delimited JSON, a chunk a line, stored as it comes",
      download: "application/json",
    },
    get: {
      id: "getStreamPosition",
      summary: "How far a writer's lines are stored, in the header X-Last-Chunk-Index (also by HEAD)",
      download: "application/json",
    },
  },
  "/realtime/v1/streams/{runId}/{target}/{key}/append": {
    post: {
      id: "appendToStream",
      summary: "Appends the body, as text, to a stream of a run",
      download: "application/json",
    },
  },
  "/realtime/v1/streams/{runId}/{key}": {
    get: { id: "readStream", summary: "A stream as server-sent events", download: "text/event-stream" },
  },
  "/realtime/v1/streams/{runId}/input/{key}": {
    post: { id: "sendInput", summary: "Sends a value to a running task", download: "application/json" },
    get: {
      id: "readInput",
      summary: "What was sent to a task, as server-sent events",
      download: "text/event-stream",
    },
  },
  "/api/v1/runs/{runId}/input-streams/wait": {
    post: {
      id: "waitForInput",
      summary: "Creates a token that the next value sent to a task completes",
      download: "application/json",
    },
  },
};
