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
  /** The client has these rows: only what may have changed is sent. */
  update: boolean;
  live: boolean;
}

/** Values go as plain JSON: a column that the schema doesn't name is taken as it is. */
const SCHEMA = "{}";

/**
 * An answer of the Electric protocol, built whole before any of it is sent: a client whose answer breaks off in the middle
 * waits for ever.
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
    // It makes the address of the next poll another one.
    ...(answer.live ? { "electric-cursor": `${Date.now()}` } : { "electric-schema": SCHEMA }),
  });
}
