import nodeCrypto from "node:crypto";
import { syncBuiltinESMExports } from "node:module";
import { watched } from "./idle-connections.ts";
import { realNow } from "./real-clock.ts";
import type { Recorder } from "./recorder.ts";
import { runContext } from "./run-context.ts";
import { fetchSpanName, traced } from "./telemetry/traced-fetch.ts";

/**
 * Returns the recorder of the caller's run; undefined for the runtime's own code, inside steps, and for code
 * of ended runs.
 */
function recorder(): Recorder | undefined {
  const context = runContext.getStore();
  return context === undefined || context.inside !== undefined || context.attempt.ended
    ? undefined
    : context.attempt.recorder;
}

/**
 * Makes the clock, random numbers, UUIDs and `fetch` of this process recordable. Called once, before the
 * project's code is loaded, because that may keep references to them. The async context identifies the run.
 */
export function makeRecordable(): void {
  const RealDate = Date;
  const now = (): number => recorder()?.now(realNow) ?? realNow();
  RealDate.now = now;
  const RecordableDate: DateConstructor = new Proxy(RealDate, {
    construct: (target, args, newTarget) =>
      Reflect.construct(
        target,
        args.length === 0 ? [now()] : args,
        newTarget === RecordableDate ? target : newTarget,
      ),
    apply: () => new RealDate(now()).toString(),
  });
  RealDate.prototype.constructor = RecordableDate;
  globalThis.Date = RecordableDate;

  const realRandom = Math.random;
  Math.random = () => recorder()?.random(realRandom) ?? realRandom();

  const { randomUUID } = nodeCrypto;
  const uuid: typeof randomUUID = (options) => {
    const real = () => randomUUID(options);
    return (recorder()?.uuid(real) as ReturnType<typeof randomUUID> | undefined) ?? real();
  };
  nodeCrypto.randomUUID = uuid;
  syncBuiltinESMExports();
  Object.defineProperty(globalThis.crypto, "randomUUID", { value: uuid, configurable: true, writable: true });

  const realFetch = traced(watched(globalThis.fetch));
  globalThis.fetch = (input, init) => {
    const current = recorder();
    return current?.recordsFetch ? recordedFetch(current, realFetch, input, init) : realFetch(input, init);
  };
}

async function recordedFetch(
  current: Recorder,
  realFetch: typeof fetch,
  input: string | URL | Request,
  init: RequestInit | undefined,
): Promise<Response> {
  const isRequest = input instanceof Request;
  const address = isRequest ? input.url : String(input);
  const url = URL.canParse(address) ? new URL(address).href : address;
  const method = (init?.method ?? (isRequest ? input.method : "GET")).toUpperCase();
  const request = `${method} ${url}`;
  const recorded = current.replayed(request);
  if (recorded) {
    runContext.getStore()?.attempt.telemetry.replayedCall(fetchSpanName(method, address));
    const body = recorded.body === null ? null : Buffer.from(recorded.body, "base64");
    const { status, statusText, headers } = recorded;
    return Object.defineProperty(new Response(body, { status, statusText, headers }), "url", { value: url });
  }
  const { segment } = current;
  const { attempt } = runContext.getStore()!;
  const { durable } = attempt;
  // The run does not only wait while the response is on its way, nor while its body is. What `fetch` itself
  // asks the clock is not recorded: a replay does not call it.
  const response = await durable.busy(() => durable.inner("fetch", () => realFetch(input, init)));
  if (isRecordable(response, current.room)) {
    const copy = response.clone();
    void durable.busy(async () => {
      const body = await durable.inner("fetch", () => bodyOf(copy, current.room));
      if (body === undefined) return;
      const { status, statusText } = response;
      const headers = [...response.headers.entries()];
      current.addResponse(
        { request, status, statusText, headers, body: body?.toString("base64") ?? null },
        segment,
      );
    });
  }
  return response;
}

function isRecordable(response: Response, room: number): boolean {
  if (response.type === "error" || response.type === "opaque" || response.status < 200) return false;
  // A stream of events may never end, so it is not recorded.
  if (response.headers.get("content-type")?.startsWith("text/event-stream")) return false;
  return Number(response.headers.get("content-length") ?? 0) * (4 / 3) <= room;
}

/** Returns null if there is no body; undefined if it is too large, or was cut off. */
async function bodyOf(response: Response, maxBytes: number): Promise<Buffer | null | undefined> {
  if (!response.body) return null;
  const parts: Uint8Array[] = [];
  let bytes = 0;
  try {
    for await (const part of response.body) {
      bytes += part.byteLength * (4 / 3);
      if (bytes > maxBytes) return undefined;
      parts.push(part);
    }
  } catch {
    return undefined;
  }
  return Buffer.concat(parts);
}
