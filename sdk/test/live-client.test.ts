/**
 * How the live client handles gaps, late messages, slow listeners and ends, over a socket that the test
 * controls.
 */
import type { LiveClientMessageInput, LiveServerMessage } from "@acme/sdk/contract/live";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { LIVE_LIMITS } from "../src/contract/live-constants.ts";
import { LiveClient, type LiveLogLine } from "../src/live/index.ts";

const RUN = "run_env00001queue0000100000000000000001";

/** The server's side of the newest connection. */
class FakeSocket extends EventTarget {
  static latest: FakeSocket | null = null;
  static readonly CONNECTING = 0;
  static readonly OPEN = 1;
  static readonly CLOSING = 2;
  static readonly CLOSED = 3;
  readyState = 0;
  binaryType = "blob";
  readonly received: LiveClientMessageInput[] = [];

  constructor() {
    super();
    FakeSocket.latest = this;
    queueMicrotask(() => {
      this.readyState = 1;
      this.dispatchEvent(new Event("open"));
      const environment = { id: "env_1", slug: "prod" };
      this.says({ type: "welcome", protocol: 1, environment, window: 64 });
    });
  }

  send(text: string): void {
    this.received.push(JSON.parse(text) as LiveClientMessageInput);
  }

  close(): void {
    this.readyState = 3;
    this.dispatchEvent(new CloseEvent("close", { code: 1006 }));
  }

  says(message: LiveServerMessage): void {
    this.dispatchEvent(new MessageEvent("message", { data: JSON.stringify(message) }));
  }

  of<T extends LiveClientMessageInput["type"]>(type: T) {
    return this.received.filter((message) => message.type === type) as Extract<
      LiveClientMessageInput,
      { type: T }
    >[];
  }
}

let client: LiveClient;
beforeEach(() => {
  FakeSocket.latest = null;
  client = new LiveClient({ baseURL: "http://server", accessToken: "t", WebSocket: FakeSocket });
});
afterEach(() => client.close());

const subscribed = async (count: number): Promise<{ socket: FakeSocket; id: string; target: object }> =>
  vi.waitFor(() => {
    expect(FakeSocket.latest).not.toBeNull();
    const socket = FakeSocket.latest as FakeSocket;
    const { id, target } = socket.of("subscribe")[count - 1] as { id: string; target: object };
    return { socket, id, target };
  });
const line = (seq: number): LiveLogLine => ({
  seq,
  attempt: 1,
  time: 1,
  level: "info",
  message: `line ${seq}`,
});

describe("the lines of a log", () => {
  it("that a client misses are requested, and messages in transit hide none of them", async () => {
    const seen: number[] = [];
    client.logs(RUN, (lines) => seen.push(...lines.map(({ seq }) => seq)));
    const first = await subscribed(1);
    const { socket } = first;
    const says = (id: string, previous: number, seqs: number[]) =>
      socket.says({ type: "logs", id, previous, lines: seqs.map(line) });
    says(first.id, 0, [1, 2]);
    // Lines 3 to 5 were not sent, because the client lagged.
    says(first.id, 5, []);
    const again = await subscribed(2);
    expect(again.target).toMatchObject({ after: 2 });
    // Sent before the server received the second subscription.
    says(first.id, 5, [6]);
    says(again.id, 2, [3, 4, 5, 6]);
    says(again.id, 6, [7]);
    expect(seen).toEqual([1, 2, 3, 4, 5, 6, 7]);
  });
});

describe("the chunks of a stream", () => {
  const says = (socket: FakeSocket, id: string, previous: number, seqs: number[], end = false) => {
    const records = seqs.map((seq) => ({ seq, time: 1, chunk: `chunk ${seq}` }));
    socket.says({ type: "stream", id, previous, records, end });
  };

  it("arrive once each, after a reconnect from where the client stopped, and end", async () => {
    const seen: string[] = [];
    let ended = 0;
    client.stream<string>(RUN, "s", (chunks) => void seen.push(...chunks.map(({ chunk }) => chunk)), {
      onEnd: () => {
        ended += 1;
      },
    });
    const first = await subscribed(1);
    expect(first.target).toEqual({ kind: "stream", runId: RUN, key: "s", after: -1 });
    says(first.socket, first.id, -1, [0, 1]);
    first.socket.close();
    const { socket, id, target } = await vi.waitFor(async () => {
      const next = await subscribed(1);
      expect(next.socket).not.toBe(first.socket);
      return next;
    });
    expect(target).toMatchObject({ after: 1 });
    says(socket, id, 0, [1, 2]);
    says(socket, id, 3, [4]);
    const again = await subscribed(2);
    expect(again.target).toMatchObject({ after: 2 });
    says(socket, id, 4, [5]);
    says(socket, again.id, 2, [3, 4, 5]);
    says(socket, again.id, 5, [], true);
    await vi.waitFor(() => expect(ended).toBe(1));
    expect(seen).toEqual([0, 1, 2, 3, 4, 5].map((n) => `chunk ${n}`));
  });

  it("are reported as handled when the listener has handled them", async () => {
    let release = () => {};
    const seen: number[] = [];
    client.stream(RUN, "s", async ([chunk]) => {
      await new Promise<void>((resolve) => {
        release = resolve;
      });
      seen.push(chunk?.index ?? -1);
    });
    const { socket, id } = await subscribed(1);
    for (let n = 0; n < LIVE_LIMITS.streamWindow; n++) says(socket, id, n - 1, [n]);
    for (let n = 0; n < LIVE_LIMITS.streamWindow / 2; n++) {
      await vi.waitFor(() => {
        release();
        expect(seen).toHaveLength(n + 1);
      });
      if (n === 0) expect(socket.of("handled")).toEqual([]);
    }
    await vi.waitFor(() =>
      expect(socket.of("handled")).toEqual([{ type: "handled", id, seq: LIVE_LIMITS.streamWindow / 2 - 1 }]),
    );
  });

  it("start at the latest one on request", async () => {
    const seen: number[] = [];
    client.stream(RUN, "s", (chunks) => void seen.push(...chunks.map(({ index }) => index)), {
      from: "latest",
    });
    const { socket, id, target } = await subscribed(1);
    expect(target).toEqual({ kind: "stream", runId: RUN, key: "s", from: "latest" });
    says(socket, id, 41, []);
    says(socket, id, 41, [42]);
    await vi.waitFor(() => expect(seen).toEqual([42]));
  });
});
