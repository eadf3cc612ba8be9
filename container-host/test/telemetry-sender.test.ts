import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ReportRequest, ReportResponse } from "@acme/sdk/contract";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { Session } from "../src/session.ts";
import { type Counts, DiskBuffer } from "../src/telemetry/disk-buffer.ts";
import { TelemetrySender } from "../src/telemetry/telemetry-sender.ts";

let folder: string;
const senders: TelemetrySender[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "acme-telemetry-"));
});
afterEach(() => {
  for (const sender of senders.splice(0)) sender.stop();
  rmSync(folder, { recursive: true, force: true });
});

const log = { debug: vi.fn(), info: vi.fn(), warn: vi.fn(), error: vi.fn() };
const runId = (name: string, environment = "env00001"): string => `run_${environment}${name}`;

/** A server that stores each batch once, in the order in which a feed takes them, as the real one does. */
class Server {
  readonly bodies: ReportRequest[] = [];
  readonly stored = new Map<string, string[]>();
  readonly #last = new Map<string, number>();
  /** What it answers to the nth call; undefined: it stores and answers. */
  answer: (call: number) => "lost" | "refused" | "down" | undefined = () => undefined;
  /** Runs whose feeds can't be reached. */
  readonly unreachable = new Set<string>();

  async report(body: string): Promise<ReportResponse> {
    const request = JSON.parse(body) as ReportRequest;
    const answer = this.answer(this.bodies.length);
    this.bodies.push(request);
    if (answer === "down") throw new Error("the server is down");
    const logs = (request.logs ?? []).map(({ runId, batch, entries }) => {
      if (answer === "refused") return "refused" as const;
      if (this.unreachable.has(runId)) return "retry" as const;
      const key = `${runId} ${batch?.sender}`;
      if ((this.#last.get(key) ?? 0) < (batch?.number ?? 0)) {
        this.#last.set(key, batch?.number ?? 0);
        this.stored.set(runId, [...(this.stored.get(runId) ?? []), ...entries.map(({ message }) => message)]);
      }
      return "ok" as const;
    });
    if (answer === "lost") throw new Error("the answer is lost");
    const none = { started: [], completed: [], heartbeats: [], journals: [], suspensions: [] };
    return { ...none, checkpoints: [], apiTokens: [], logs };
  }
}

function open(server: Server, maxBytes = 1_000_000) {
  const dropped: Counts[] = [];
  const onDropped = (counts: Counts) => void dropped.push(counts);
  const buffer = new DiskBuffer({ folder, maxBytes, log, onDropped });
  const sender = new TelemetrySender({ api: server, session: new Session("host"), log, buffer, onDropped });
  senders.push(sender);
  const add = (run: string, message: string, attempt = 1) =>
    sender.add({ runId: run, attempt, apiToken: "t" }, { entries: [{ time: 1, level: "info", message }] });
  return { buffer, sender, dropped, add };
}

it("sends a batch again under the same number when the answer is lost, and it is stored once", async () => {
  const server = new Server();
  server.answer = (call) => (call === 0 ? "lost" : undefined);
  const { sender, add } = open(server);
  add(runId("1"), "a");
  add(runId("1"), "b", 2);
  await sender.drained(10_000);
  add(runId("1"), "c");
  await sender.drained(10_000);
  expect(server.stored.get(runId("1"))).toEqual(["a", "b", "c"]);
  const batches = server.bodies.map(({ logs }) => logs?.map(({ batch }) => batch));
  expect(batches[1]).toEqual(batches[0]);
  // Attempts may be stored in another order than they are sent in: each counts for itself.
  expect(batches[0]?.[0]?.sender).not.toBe(batches[0]?.[1]?.sender);
});

it("sends after a restart what it had received, and nothing stays on disk that was sent", async () => {
  const down = new Server();
  down.answer = () => "down";
  const first = open(down);
  const messages = Array.from({ length: 200 }, (_, n) => `line ${n}`);
  for (const message of messages) first.add(runId("1"), message);
  // As after a kill, nothing was closed, and another process opens the folder.
  const server = new Server();
  const second = open(server);
  await second.sender.drained(10_000);
  expect(server.stored.get(runId("1"))).toEqual(messages);
  first.sender.stop();
  second.sender.stop();
  expect(readdirSync(folder)).toEqual([]);
});

it("drops what exceeds its bound, counts it, and says so in the run's log where it is missing", async () => {
  const server = new Server();
  let isDown = true;
  server.answer = () => (isDown ? "down" : undefined);
  const { sender, dropped, add } = open(server, 20_000);
  for (let n = 0; n < 100; n++) add(runId("1"), `${n} ${"x".repeat(100)}`);
  // There is space for another run, because no run can take the whole buffer.
  add(runId("2"), "of another run");
  const count = dropped.reduce((sum, { logs }) => sum + logs, 0);
  expect(count).toBeGreaterThan(0);
  isDown = false;
  await sender.drained(10_000);
  add(runId("1"), "the end");
  await sender.drained(10_000);
  const lines = server.stored.get(runId("1")) ?? [];
  expect(lines).toHaveLength(100 - count + 2);
  expect(lines.at(-2)).toMatch(
    new RegExp(`^${count} log entries, 0 spans and 0 metric points of this run were dropped`),
  );
  expect(lines.at(-1)).toBe("the end");
  expect(server.stored.get(runId("2"))).toEqual(["of another run"]);
});

it("says once what it dropped, though the line that says it would fit and the next ones do not", () => {
  const server = new Server();
  server.answer = () => "down";
  const { buffer, add } = open(server, 40_000);
  // A quarter is the run's: after some lines, less than another one is left of it, and more than a notice takes.
  for (let n = 0; n < 50; n++) add(runId("1"), "x".repeat(1_000));
  expect(buffer.take(1_000_000, performance.now()).map((line) => buffer.read(line))).not.toContainEqual(
    expect.stringContaining("were dropped"),
  );
});

it("says after a kill what it had dropped before it", async () => {
  const down = new Server();
  down.answer = () => "down";
  const first = open(down, 20_000);
  for (let n = 0; n < 100; n++) first.add(runId("1"), `${n} ${"x".repeat(100)}`);
  for (let n = 0; n < 10; n++) first.add(runId("1"), `${n} ${"x".repeat(100)}`, 2);
  const count = first.dropped.reduce((sum, { logs }) => sum + logs, 0);
  const server = new Server();
  const second = open(server, 20_000);
  await second.sender.drained(10_000);
  const lines = server.stored.get(runId("1")) ?? [];
  expect(lines.slice(0, -2)).toEqual(
    Array.from({ length: 110 - count }, (_, n) => `${n} ${"x".repeat(100)}`),
  );
  expect(lines.slice(-2).map((line) => line.split(",")[0])).toEqual([
    `${count - 10} log entries`,
    "10 log entries",
  ]);
  first.sender.stop();
  second.sender.stop();
  expect(readdirSync(folder)).toEqual([]);
});

it("holds back the lines of a run whose feed can't be reached, and sends those of others", async () => {
  const server = new Server();
  server.unreachable.add(runId("1"));
  const { add, buffer } = open(server);
  for (let n = 0; n < 5; n++) add(runId("1"), `a${n}`);
  for (let n = 0; n < 5; n++) add(runId("2"), `b${n}`);
  await vi.waitFor(() => expect(server.stored.get(runId("2"))).toHaveLength(5));
  server.unreachable.clear();
  await vi.waitFor(() => expect(buffer.isEmpty).toBe(true), { timeout: 10_000 });
  expect(server.stored.get(runId("1"))).toEqual(["a0", "a1", "a2", "a3", "a4"]);
});

it("sends for each environment in turn, so one that writes a lot delays no other", () => {
  const server = new Server();
  server.answer = () => "down";
  const { buffer, add } = open(server);
  for (let n = 0; n < 50; n++) add(runId(`${n % 5}`, "flooding"), "x".repeat(500));
  add(runId("1", "quiet000"), "hello");
  const taken = buffer.take(3_000, performance.now());
  expect(taken.map(({ runId }) => runId)).toContain(runId("1", "quiet000"));
});

it("drops what the server refuses, and counts it", async () => {
  const server = new Server();
  server.answer = () => "refused";
  const { sender, dropped, buffer, add } = open(server);
  add(runId("1"), "a");
  await sender.drained(10_000);
  expect(buffer.isEmpty).toBe(true);
  expect(dropped).toEqual([{ logs: 1, spans: 0, metrics: 0 }]);
});
