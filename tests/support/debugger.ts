import { SourceMap } from "node:module";
import { eventually } from "./eventually.ts";

interface Breakpoint {
  /** Absolute `file:` URL of the source. */
  file: string;
  /** From 1. */
  line: number;
}

interface Paused {
  file: string;
  line: number;
  /** Evaluates an expression at the current position. */
  evaluate(expression: string): Promise<unknown>;
  resume(): Promise<unknown>;
}

interface CallFrame {
  callFrameId: string;
  location: { scriptId: string; lineNumber: number; columnNumber: number };
}

/**
 * A debugger like Chrome's and those of editors: it attaches to every process in the list of targets, and
 * sets its breakpoints in each script whose source map contains their file.
 */
export class Debugger {
  readonly paused: Paused[] = [];
  readonly #address: string;
  readonly #breakpoints: () => Breakpoint[];
  readonly #attached = new Map<string, WebSocket>();
  readonly #timer: NodeJS.Timeout;
  /** The scripts in which breakpoints were set, in all processes. */
  readonly #scripts: string[] = [];

  constructor(address: string, breakpoints: () => Breakpoint[]) {
    this.#address = address;
    this.#breakpoints = breakpoints;
    this.#timer = setInterval(() => void this.#look(), 50);
  }

  /** True: a breakpoint was set in a script with this text. */
  isSetIn(text: string): boolean {
    return this.#scripts.some((script) => script.includes(text));
  }

  nextPause(from: number): Promise<Paused> {
    return eventually("the debugger stops", () => this.paused[from]);
  }

  close(): void {
    clearInterval(this.#timer);
    for (const socket of this.#attached.values()) socket.close();
  }

  async #look(): Promise<void> {
    const response = await fetch(`http://${this.#address}/json/list`).catch(() => undefined);
    const targets = ((await response?.json()) ?? []) as { webSocketDebuggerUrl: string }[];
    for (const { webSocketDebuggerUrl } of targets) this.#attach(webSocketDebuggerUrl);
  }

  #attach(url: string): void {
    if (this.#attached.has(url)) return;
    const socket = new WebSocket(url);
    this.#attached.set(url, socket);
    const answers = new Map<number, (result: unknown) => void>();
    const maps = new Map<string, SourceMap>();
    let ids = 0;
    const call = (method: string, params: object = {}): Promise<unknown> =>
      new Promise((resolve) => {
        ids += 1;
        answers.set(ids, resolve);
        socket.send(JSON.stringify({ id: ids, method, params }));
      });
    socket.addEventListener("open", () => void call("Debugger.enable"));
    socket.addEventListener("close", () => this.#attached.delete(url));
    socket.addEventListener("message", ({ data }) => {
      const message = JSON.parse(String(data));
      if (message.id !== undefined) {
        answers.get(message.id)?.(message.result);
        return;
      }
      if (message.method === "Debugger.scriptParsed") {
        const { scriptId, sourceMapURL } = message.params as { scriptId: string; sourceMapURL?: string };
        const encoded = /^data:application\/json[^,]*,(.*)$/.exec(sourceMapURL ?? "")?.[1];
        if (!encoded) return;
        const payload = JSON.parse(Buffer.from(encoded, "base64").toString());
        const sources = (payload.sources as string[]).map((source) => `${payload.sourceRoot ?? ""}${source}`);
        const map = new SourceMap({ ...payload, sources, sourceRoot: "" });
        maps.set(scriptId, map);
        void this.#setIn(scriptId, map, call);
      }
      if (message.method === "Debugger.paused") {
        const frame = (message.params.callFrames as CallFrame[])[0]!;
        const { scriptId, lineNumber, columnNumber } = frame.location;
        const entry = maps.get(scriptId)?.findEntry(lineNumber, columnNumber);
        const found = entry && "originalSource" in entry ? entry : undefined;
        this.paused.push({
          file: found?.originalSource ?? "",
          line: (found?.originalLine ?? -1) + 1,
          evaluate: async (expression) => {
            const params = { callFrameId: frame.callFrameId, expression, returnByValue: true };
            const result = (await call("Debugger.evaluateOnCallFrame", params)) as {
              result: { value: unknown };
            };
            return result.result.value;
          },
          resume: () => call("Debugger.resume"),
        });
      }
    });
  }

  async #setIn(
    scriptId: string,
    map: SourceMap,
    call: (method: string, params: object) => Promise<unknown>,
  ): Promise<void> {
    for (const { file, line } of this.#breakpoints()) {
      if (!map.payload.sources.includes(file)) continue;
      const { scriptSource } = (await call("Debugger.getScriptSource", { scriptId })) as {
        scriptSource: string;
      };
      const lines = scriptSource.split("\n");
      for (const [lineNumber, text] of lines.entries()) {
        const columnNumber = text.length - text.trimStart().length;
        const entry = map.findEntry(lineNumber, columnNumber);
        const fits =
          "originalSource" in entry && entry.originalSource === file && entry.originalLine === line - 1;
        if (!fits || text.trim() === "") continue;
        await call("Debugger.setBreakpoint", { location: { scriptId, lineNumber, columnNumber } });
        this.#scripts.push(scriptSource);
        break;
      }
    }
  }
}
