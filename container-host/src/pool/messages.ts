import { RuntimeToHost } from "@acme/sdk/contract";
import type { Of, Runtime, Work } from "./runtime.ts";

/** The messages that the pool itself handles; all others are passed to the runtime's run. */
export interface MessageHandlers {
  greeted(): void;
  ready(): void;
  completed(work: Work, message: Of<"completed">): void;
  /** The runtime violated the protocol. A task's code can write to the channel, so nothing is trusted. */
  violated(reason: string): void;
}

/** Handles one line of a runtime's channel. */
export function receive(runtime: Runtime, line: string, handlers: MessageHandlers): void {
  const message = parse(line);
  if (!message) {
    // What it sent may hold a payload.
    handlers.violated(`it sent ${line.length} characters that are not a message of the protocol`);
    return;
  }
  if (message.type === "hello") {
    if (message.token === runtime.channelToken) handlers.greeted();
    else handlers.violated("it does not know the channel's token");
    return;
  }
  if (!runtime.greeted) {
    handlers.violated("it did not identify itself");
    return;
  }
  const { work } = runtime;
  switch (message.type) {
    case "ready":
      handlers.ready();
      return;
    case "broken":
      runtime.broken = message;
      return;
    case "log":
      if (isOfAttempt(work, message)) work.log(message);
      return;
    case "telemetry":
      if (isOfAttempt(work, message)) work.recorded(message);
      return;
    case "completed":
      if (isAbout(work, message)) handlers.completed(work, message);
      return;
    case "journal":
      if (isAbout(work, message)) work.journal(message);
      return;
    case "waiting":
      if (isAbout(work, message)) work.waiting(message);
      return;
    case "working":
      if (isAbout(work, message)) work.working();
      return;
    case "suspended":
      if (isAbout(work, message)) work.suspended(message);
      return;
    case "started":
      if (isAbout(work, message)) work.started(message);
  }
}

/** What an attempt records carries no token: its lease may change while it is suspended. */
const isOfAttempt = (work: Work | null, message: { runId: string; attempt: number }): work is Work =>
  work !== null && work.run.runId === message.runId && work.run.attempt === message.attempt;

/** Returns whether the message is about this run and its lease. */
const isAbout = (work: Work | null, message: { runId: string; token: number }): work is Work =>
  work !== null && work.run.runId === message.runId && work.run.token === message.token;

function parse(line: string): RuntimeToHost | null {
  try {
    return RuntimeToHost.safeParse(JSON.parse(line)).data ?? null;
  } catch {
    return null;
  }
}
