import type { RunRecord } from "@acme/durable-objects/rpc";
import type { Context } from "hono";
import type { App } from "../../bindings.ts";
import { type ColumnOptions, columnsOf } from "./columns.ts";

export interface Answer {
  /** Sent back as `handle`. */
  handle: string;
  /** `NUMBER_NUMBER`, sent back as `offset`. */
  offset: string;
  runs: RunRecord[];
  /** True: the client has these rows already, so only columns that may have changed are sent. */
  update: boolean;
  live: boolean;
}

/** Values are sent as plain JSON, because clients do not convert columns that the schema doesn't name. */
const SCHEMA = "{}";

/**
 * Returns a response of the Electric protocol. It is built completely before any of it is sent, because a
 * client whose response breaks off waits forever.
 */
export function answerOf(c: Context<App>, answer: Answer, columns: Omit<ColumnOptions, "payload">): Response {
  const operation = answer.update ? "update" : "insert";
  const messages: unknown[] = answer.runs.map((run) => ({
    key: run.id,
    headers: { operation },
    value: columnsOf(run, { ...columns, payload: !answer.update }),
  }));
  messages.push({ headers: { control: "up-to-date" } });
  const body = new TextEncoder().encode(JSON.stringify(messages));
  return c.body(body as Uint8Array<ArrayBuffer>, 200, {
    "content-type": "application/json",
    "content-length": String(body.byteLength),
    "cache-control": "no-store",
    "electric-handle": answer.handle,
    "electric-offset": answer.offset,
    "electric-up-to-date": "true",
    // It makes the URL of the next poll different.
    ...(answer.live ? { "electric-cursor": `${Date.now()}` } : { "electric-schema": SCHEMA }),
  });
}
