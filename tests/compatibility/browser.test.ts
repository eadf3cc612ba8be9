/**
 * Hooks and stores in a real page of another origin: ours for React and Svelte, and Trigger.dev's published
 * ones.
 */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { auth, batch, runs, tasks, wait } from "@acme/sdk";
import type { Browser, Page, Request } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openBrowser, openPage } from "../support/browser.ts";
import { deployTaskFile } from "../support/deploy-task.ts";
import { eventually } from "../support/eventually.ts";
import { type LocalServer, startLocalServer } from "../support/local-server.ts";
import { publicToken } from "../support/public-token.ts";
import { bundleForPage } from "./browser/bundle.ts";
import type { PageComponent } from "./browser/page.ts";
import type { PageSettings } from "./browser/settings.ts";

const TASKS = `
import { logger, metadata, streams, task, wait } from "@acme/sdk";
export const work = task({
  id: "work",
  retry: { maxAttempts: 1 },
  run: async ({ n, ms, until }: { n: number; ms: number; until?: string }) => {
    metadata.set("step", "counting");
    async function* numbers() {
      for (let i = 0; i < n; i++) {
        logger.info("line " + i);
        yield { n: i };
        await new Promise((resolve) => setTimeout(resolve, ms));
      }
    }
    await streams.pipe("numbers", numbers()).waitUntilComplete();
    if (until) await wait.forToken(until);
    return { counted: n, at: new Date(0) };
  },
});
const answer = streams.input<{ yes: boolean }>({ id: "answer" });
export const listening = task({ id: "listening", run: async () => (await answer.wait()).output });
export const asking = task({
  id: "asking",
  run: async ({ token }: { token: string }) => wait.forToken(token),
});
`;

interface Run {
  id: string;
  status: string;
  output?: unknown;
  metadata?: unknown;
}

const COUNT = 40;
const NUMBERS = Array.from({ length: COUNT }, (_, n) => ({ n }));
const DONE = {
  status: "COMPLETED",
  output: { counted: COUNT, at: new Date(0).toISOString() },
  metadata: { step: "counting" },
};

describe("in a page", () => {
  let server: LocalServer;
  let site: Server;
  let browser: Browser;
  let page: Page;
  let problems: string[];
  const sockets: string[] = [];
  const statuses = new Set<number>();
  /** The page's requests since it was mounted, and how they ended. */
  const traffic: string[] = [];
  beforeAll(async () => {
    const script = await bundleForPage(join(import.meta.dirname, "browser/page.ts"));
    site = createServer((request, response) => {
      const isScript = request.url === "/page.js";
      response.setHeader("content-type", isScript ? "text/javascript" : "text/html");
      response.end(isScript ? script : '<!doctype html><script type="module" src="/page.js"></script>');
    });
    await new Promise<void>((resolve) => site.listen(0, "127.0.0.1", resolve));
    server = await startLocalServer({ executor: "process", example: false });
    await deployTaskFile(server, TASKS, { suspendAfter: 500 });
    browser = await openBrowser();
    ({ page, problems } = await openPage(browser));
    page.on("websocket", (socket) => sockets.push(socket.url()));
    page.on("response", (response) => statuses.add(response.status()));
    const began = Date.now();
    const note = (what: string, request: Request) =>
      traffic.push(`${Date.now() - began} ms: ${request.method()} ${request.url()} ${what}`);
    page.on("request", (request) => note("is sent", request));
    page.on("response", (response) => note(`is answered ${response.status()}`, response.request()));
    page.on("requestfailed", (request) => note(`failed: ${request.failure()?.errorText}`, request));
    await page.goto(`http://127.0.0.1:${(site.address() as AddressInfo).port}/`);
  });
  afterAll(async () => {
    await browser?.close();
    site?.close();
    await server?.stop();
  });

  const as = <T>(work: () => Promise<T>): Promise<T> =>
    auth.withAuth({ baseURL: server.apiUrl, accessToken: server.secretKey }, work) as Promise<T>;

  /**
   * Triggers the runs that the page should show, and mounts a component that shows them. `waits`: the run
   * ends with the wait token.
   */
  async function shown(name: PageComponent, { waits = false } = {}): Promise<PageSettings> {
    const tag = `${name}-${Date.now()}`;
    const settings = await as(async () => {
      const waitToken = await wait.createToken();
      const { id: otherRunId } = await tasks.trigger("work", { n: 0, ms: 0 });
      const payload = { n: COUNT, ms: 30, until: waits ? waitToken.id : undefined };
      const { id: runId } = await tasks.trigger("work", payload, { tags: [tag] });
      const { batchId } = await batch.trigger([
        { id: "work", payload: { n: 1, ms: 0 } },
        { id: "work", payload: { n: 2, ms: 0 } },
      ]);
      const { id: listeningRunId } = await tasks.trigger("listening", {});
      const scopes = [
        `read:tags:${tag}`,
        `read:batch:${batchId}`,
        `write:inputStreams:${listeningRunId}`,
        `read:runs:${listeningRunId}`,
      ];
      return {
        baseURL: server.apiUrl,
        accessToken: publicToken(server, runId, scopes, 600),
        triggerToken: publicToken(server, runId, ["trigger:tasks:work"], 600),
        runId,
        otherRunId,
        listeningRunId,
        tag,
        batchId,
        waitToken,
      };
    });
    traffic.length = 0;
    await page.evaluate(`show(${JSON.stringify(name)}, ${JSON.stringify(settings)})`);
    return settings;
  }

  /** Waits until the page shows what is expected; a failure contains its last state. */
  async function state<T>(what: string, isSo: (state: T) => boolean): Promise<T> {
    let last: T | undefined;
    const text = page.locator("pre");
    try {
      await eventually(what, async () => {
        last = JSON.parse((await text.textContent()) ?? "null") as T;
        return isSo(last);
      });
      return last as T;
    } catch (error) {
      throw new Error(
        `${String(error)}\n${JSON.stringify(last, summary)}\n${[...problems, ...traffic].join("\n")}`,
      );
    }
  }

  /** Resolves when the next connection that the page opens ends a subscription. */
  const unsubscription = (): Promise<void> =>
    new Promise((resolve) => {
      page.once("websocket", (socket) =>
        socket.on("framesent", ({ payload }) => {
          if (String(payload).includes('"unsubscribe"')) resolve();
        }),
      );
    });

  const summary = (_key: string, value: unknown) =>
    typeof value === "object" && value !== null && "taskIdentifier" in value
      ? `${(value as unknown as Run).id} ${(value as unknown as Run).status}`
      : value;
  const press = (name: string) => page.locator(`button[name=${name}]`).click();
  /** Both runs of the batch were created at the same moment, so their order is arbitrary. */
  const countedBy = (list: Run[]) =>
    list.map(({ output }) => (output as { counted: number }).counted).toSorted();
  const isDone = (run: Run | undefined) => run?.status === "COMPLETED";

  it("our hooks for React show runs, streams and what they trigger, over one connection for each token", async () => {
    interface State {
      run?: Run;
      completed: number;
      tagged: Run[];
      batch: Run[];
      stream: { parts: unknown[]; ended: boolean; lastEventId?: string };
      latest: unknown[];
      forbidden?: string;
      refused?: string;
      triggered: { id?: string; run?: Run; error?: string };
      token: { isReady: boolean; isCompleted: boolean; error?: string };
      withStreams: { run?: Run & { tags: string[]; payload?: unknown }; streams: Record<string, unknown[]> };
      plain: Run[];
      retrieved?: Run;
      triggeredWithStreams: { run?: Run; streams: Record<string, unknown[]> };
      input: { isReady: boolean; error?: string };
      listening?: Run;
    }
    const before = sockets.length;
    const { runId, waitToken, tag } = await shown("Ours");
    const { id: asking } = await as(() => tasks.trigger("asking", { token: waitToken.id }));
    await state<State>("the stream comes while the run executes", ({ run, stream }) =>
      Boolean(run?.status === "EXECUTING" && stream.parts.length > 1),
    );
    await press("trigger");
    await press("trigger-refused");
    await press("complete");
    await press("send");
    await press("trigger-with-streams");
    const last = await state<State>(
      "all is over",
      ({ run, stream, batch, tagged, triggered, token, forbidden, refused, ...more }) =>
        isDone(run) &&
        stream.ended &&
        batch.filter(isDone).length === 2 &&
        tagged.filter(isDone).length === 3 &&
        isDone(triggered.run) &&
        token.isCompleted &&
        forbidden !== undefined &&
        refused !== undefined &&
        isDone(more.withStreams.run) &&
        more.withStreams.streams.numbers?.length === COUNT &&
        isDone(more.retrieved) &&
        isDone(more.listening) &&
        isDone(more.triggeredWithStreams.run) &&
        more.triggeredWithStreams.streams.numbers?.length === 2,
    );
    expect(last.withStreams.streams).toEqual({ numbers: NUMBERS });
    // Skipped columns are missing, and all others are present.
    expect(last.withStreams.run).toMatchObject({ id: runId, tags: [], output: DONE.output });
    expect(last.withStreams.run).not.toHaveProperty("payload");
    expect(last.run).toMatchObject({ tags: [tag], payload: { n: COUNT, ms: 30 } });
    for (const run of last.plain) {
      for (const column of ["payload", "output", "metadata"]) expect(run).not.toHaveProperty(column);
      expect(run).toMatchObject({ status: "COMPLETED", tags: [tag] });
    }
    expect(last.plain.map(({ id }) => id)).toEqual(last.tagged.map(({ id }) => id));
    expect(last.retrieved).toMatchObject({ id: runId, ...DONE });
    expect(last.listening).toMatchObject({ output: { yes: true } });
    expect(last.input).toEqual({ isReady: true });
    expect(last.triggeredWithStreams.streams).toEqual({ numbers: NUMBERS.slice(0, 2) });
    expect(last.run).toMatchObject({ id: runId, ...DONE });
    expect(last.completed).toBe(1);
    expect(last.stream).toEqual({ parts: NUMBERS, ended: true, lastEventId: String(COUNT - 1) });
    expect(last.latest).toEqual([NUMBERS.at(-1)]);
    expect(last.tagged.map(({ id }) => id)).toEqual([
      runId,
      last.triggered.id,
      last.triggeredWithStreams.run?.id,
    ]);
    expect(last.tagged[0]).toMatchObject(DONE);
    expect(countedBy(last.batch)).toEqual([1, 2]);
    expect(last.triggered).toMatchObject({ run: { output: { counted: 3 } } });
    expect(last.forbidden).toContain("read:runs:");
    expect(last.refused).toContain("not allow");
    // One for the page's token, and one for each token that a trigger returned.
    expect(sockets.length - before).toBe(3);
    await eventually("the run got the answer", () => as(async () => isDone(await runs.retrieve(asking))));
    expect(await as(() => runs.retrieve(asking))).toMatchObject({
      output: { ok: true, output: { answer: 42 } },
    });
  });

  it("our hooks for streams take all options, and their server and token from the context", async () => {
    interface Stream {
      parts: unknown[];
      ended: boolean;
      lastEventId?: string;
    }
    interface State {
      baseURL: string;
      outside: string;
      defined: Stream;
      data: unknown[];
      batches: { id: string; chunk: unknown; timestamp: number }[];
      fromIndex: Stream;
      resumed: Stream;
      newest: Stream;
      throttled: Stream;
      silent: Stream;
      off: Stream;
      later: Stream;
    }
    const unsubscribed = unsubscription();
    await shown("Options");
    const last = await state<State>("all streams are over", (streams) =>
      (["defined", "fromIndex", "resumed", "newest", "throttled"] as const).every(
        (name) => streams[name].ended,
      ),
    );
    // The run that writes nothing continues; the hook's timeout ended the subscription.
    await unsubscribed;
    expect(last.baseURL).toBe(server.apiUrl);
    expect(last.outside).toMatch(/^0 values, Put <TriggerAuthContext.Provider/);
    expect(last.defined.parts).toEqual(NUMBERS);
    expect(last.data).toEqual(NUMBERS);
    expect(last.batches.map(({ id, chunk }) => [id, chunk])).toEqual(
      NUMBERS.map((part) => [`${part.n}`, part]),
    );
    const times = last.batches.map(({ timestamp }) => timestamp);
    expect(times).toEqual(times.toSorted((a, b) => a - b));
    expect(last.fromIndex.parts).toEqual(NUMBERS.slice(30));
    // Parts that were already received take precedence over the start index.
    expect(last.resumed.parts).toEqual(NUMBERS.slice(35));
    expect(last.newest).toMatchObject({ parts: NUMBERS.slice(-5), lastEventId: String(COUNT - 1) });
    expect(last.throttled.parts).toEqual(NUMBERS);
    for (const stream of [last.silent, last.off, last.later])
      expect(stream).toMatchObject({ parts: [], ended: false });
  });

  it("our stores for Svelte show runs, logs and streams, and end with their component", async () => {
    interface State {
      run?: Run;
      tagged: Run[];
      more: boolean;
      batch: Run[];
      lines: string[];
      parts: unknown[];
      ended: boolean;
      forbidden?: string;
      withStreams: { run?: Run; streams: Record<string, unknown[]> };
      plain: Run[];
      listening?: Run;
    }
    const before = sockets.length;
    const ended = unsubscription();
    const { runId } = await shown("Svelte");
    await state<State>("parts come while the run executes", ({ run, parts }) =>
      Boolean(run?.status === "EXECUTING" && parts.length > 1),
    );
    await press("send");
    const last = await state<State>(
      "all is over",
      ({ run, tagged, batch, ended, lines, forbidden, withStreams, listening }) =>
        isDone(withStreams.run) &&
        withStreams.streams.numbers?.length === COUNT &&
        isDone(listening) &&
        isDone(run) &&
        tagged.every(isDone) &&
        batch.filter(isDone).length === 2 &&
        ended &&
        lines.length === COUNT &&
        forbidden !== undefined,
    );
    expect(last.withStreams).toMatchObject({ run: { id: runId, ...DONE }, streams: { numbers: NUMBERS } });
    expect(last.withStreams.run).not.toHaveProperty("payload");
    expect(last.plain[0]).toMatchObject({ id: runId, status: "COMPLETED" });
    expect(last.plain[0]).not.toHaveProperty("output");
    expect(last.listening).toMatchObject({ output: { yes: true } });
    expect(last.run).toMatchObject({ id: runId, ...DONE });
    expect(last.tagged).toMatchObject([{ id: runId, ...DONE }]);
    expect(countedBy(last.batch)).toEqual([1, 2]);
    expect(last.parts).toEqual(NUMBERS);
    expect(last.lines).toEqual(NUMBERS.map(({ n }) => `line ${n}`));
    expect(last.forbidden).toContain("read:runs:");
    expect(sockets.length - before).toBe(1);
    await page.evaluate('show("nothing")');
    await ended;
  });

  it("the published hooks show runs and trigger one", async () => {
    interface State {
      run?: Run;
      completed: number;
      tagged: Run[];
      batch: Run[];
      forbidden?: string;
      triggered: { id?: string; error?: string };
    }
    const { runId, waitToken } = await shown("PublishedRuns", { waits: true });
    // No response is on its way to the page then: the published client gives up a subscription for good if
    // its tab is hidden while the body of a response arrives.
    await state<State>(
      "the run waits",
      ({ run, tagged, batch }) =>
        [run, ...tagged].map((each) => each?.status).join() === "WAITING,WAITING" &&
        batch.filter(isDone).length === 2,
    );
    // A tab that is hidden ends its poll, and asks once without `live` when it is shown again.
    const hide = (isHidden: boolean) =>
      page.evaluate(`Object.defineProperty(document, "hidden", { value: ${isHidden}, configurable: true });
        document.dispatchEvent(new Event("visibilitychange"));`);
    await hide(true);
    await as(() => wait.completeToken(waitToken.id, {}));
    await eventually("the run is over", () => as(async () => isDone(await runs.retrieve(runId))));
    await hide(false);
    await press("trigger");
    const last = await state<State>(
      "all is over",
      ({ run, tagged, batch, completed, forbidden }) =>
        isDone(run) &&
        tagged.filter(isDone).length === 2 &&
        batch.filter(isDone).length === 2 &&
        completed === 1 &&
        forbidden !== undefined,
    );
    expect(last.run).toMatchObject({ id: runId, ...DONE, metadata: { step: "counting" } });
    expect(last.tagged.map(({ id }) => id)).toEqual([runId, last.triggered.id]);
    expect(last.forbidden).toContain("read:runs:");
  });

  it("the published hooks show streams", async () => {
    interface State {
      parts: unknown[];
      run?: Run;
      streams: { numbers?: unknown[] };
    }
    const { runId } = await shown("PublishedStreams");
    const last = await state<State>(
      "all came",
      ({ parts, run, streams }) => parts.length === COUNT && streams.numbers?.length === COUNT && isDone(run),
    );
    expect(last.parts).toEqual(NUMBERS);
    expect(last.streams.numbers).toEqual(NUMBERS);
    expect(last.run).toMatchObject({ id: runId, ...DONE });
  });

  it("nothing else went wrong", () => {
    expect(statuses).not.toContain(409);
    // What a token does not permit is refused over HTTP, which the browser reports.
    expect(problems.filter((problem) => !problem.includes("status of 403"))).toEqual([]);
  });
});
