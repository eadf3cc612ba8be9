/**
 * A process with many watchers of one list: `node watchers.ts`, driven by messages from its parent. A message
 * from the server is the same for all watchers, so each process parses it only once, when it is asked for the
 * states.
 */
import { crc32 } from "node:zlib";
import {
  LIVE_LIMITS,
  LIVE_SUBPROTOCOL,
  LIVE_TOKEN_SUBPROTOCOL,
  type LiveServerMessage,
} from "@acme/sdk/contract/live";
import { RawSocket } from "./raw-socket.ts";

export type Order =
  | { type: "open"; url: string; token: string; count: number; target: object; atOnce: number }
  | { type: "report" }
  | { type: "states" }
  /** Forgets what came so far; later states are those of what comes after this. */
  | { type: "forget" }
  | { type: "close" };

export interface Report {
  opened: number;
  open: number;
  /** What opened no socket: the answer, and how often. */
  failures: Record<string, number>;
  messages: number;
  bytes: number;
  /** Watchers that have got at least one message that is no welcome. */
  answered: number;
  cpuMs: number;
}

/** How many watchers have this list: ids and whether the run is over, newest first. */
export type States = Record<string, number>;

class Watcher {
  socket: RawSocket | null = null;
  readonly texts: Text[] = [];
  received = 0;
  unacknowledged = 0;
  characters = 0;
}

interface Text {
  bytes: Buffer;
  message?: LiveServerMessage;
}

const watchers: Watcher[] = [];
const texts = new Map<string, Text>();
const failures: Record<string, number> = {};
let opened = 0;
let messages = 0;
let bytes = 0;

function received(watcher: Watcher, data: Buffer): void {
  messages += 1;
  bytes += data.length;
  watcher.received += 1;
  watcher.unacknowledged += 1;
  watcher.characters += data.length;
  if (
    watcher.unacknowledged >= LIVE_LIMITS.acknowledgeMessages ||
    watcher.characters >= LIVE_LIMITS.acknowledgeCharacters
  ) {
    watcher.socket?.send(`{"type":"ack","count":${watcher.unacknowledged}}`);
    watcher.unacknowledged = 0;
    watcher.characters = 0;
  }
  const key = `${data.length} ${crc32(data)}`;
  let text = texts.get(key);
  if (!text) {
    text = { bytes: Buffer.from(data) };
    texts.set(key, text);
  }
  watcher.texts.push(text);
}

async function open(order: Extract<Order, { type: "open" }>): Promise<void> {
  const url = new URL(order.url);
  const protocols = [LIVE_SUBPROTOCOL, LIVE_TOKEN_SUBPROTOCOL + order.token];
  const subscribe = JSON.stringify({ type: "subscribe", id: "1", target: order.target });
  let left = order.count;
  const one = async (): Promise<void> => {
    while (left > 0) {
      left -= 1;
      const watcher = new Watcher();
      try {
        const socket = await RawSocket.open(url, protocols, (data) => received(watcher, data));
        watcher.socket = socket;
        watchers.push(watcher);
        socket.send(subscribe);
        opened += 1;
      } catch (error) {
        const reason = error instanceof Error ? error.message : String(error);
        failures[reason] = (failures[reason] ?? 0) + 1;
      }
    }
  };
  await Promise.all(Array.from({ length: order.atOnce }, one));
}

function report(): Report {
  const { user, system } = process.cpuUsage();
  return {
    opened,
    open: watchers.filter(({ socket }) => socket?.isOpen).length,
    failures,
    messages,
    bytes,
    answered: watchers.filter(({ received }) => received > 1).length,
    cpuMs: (user + system) / 1_000,
  };
}

function states(): States {
  const found: States = {};
  for (const watcher of watchers) {
    const runs = new Map<string, { position: number; text: string; createdAt: string }>();
    for (const text of watcher.texts) {
      text.message ??= JSON.parse(text.bytes.toString()) as LiveServerMessage;
      const { message } = text;
      if (message.type === "snapshot") runs.clear();
      if (message.type !== "snapshot" && message.type !== "changes") continue;
      for (const run of message.runs) {
        if ((runs.get(run.id)?.position ?? -1) > run.position) continue;
        const { id, position, createdAt, isCompleted } = run;
        runs.set(id, { position, createdAt, text: `${id} ${isCompleted}` });
      }
      if (message.type === "changes") for (const id of message.removed) runs.delete(id);
    }
    const list = [...runs.entries()].sort(([a, x], [b, y]) =>
      x.createdAt > y.createdAt ? -1 : x.createdAt < y.createdAt ? 1 : a < b ? 1 : -1,
    );
    const key = list.map(([, { text }]) => text).join("\n");
    found[key] = (found[key] ?? 0) + 1;
  }
  return found;
}

process.on("message", async (order: Order) => {
  if (order.type === "open") await open(order);
  if (order.type === "close") {
    for (const { socket } of watchers.splice(0)) socket?.destroy();
    texts.clear();
    opened = 0;
  }
  if (order.type === "forget") {
    for (const { texts: own } of watchers) own.length = 0;
    texts.clear();
  }
  process.send?.(order.type === "states" ? states() : report());
});
process.once("disconnect", () => process.exit());
