import { createHash } from "node:crypto";
import { serializeError, type TaskRunError } from "@acme/sdk/contract";

/** Groups failed runs: two runs of a task with the same fingerprint failed with the same error. */
export interface ErrorIdentity {
  /** 16 hexadecimal digits. */
  fingerprint: string;
  /** The type of the error: its class, or, for an error of the platform, its code. */
  name: string;
}

/** The number of characters of a message that count: further text is usually data. */
const MESSAGE_LENGTH = 1_000;
/**
 * The number of frames that count. Outer frames are callers of the failing code, and often the same for
 * everything.
 */
const FRAMES = 3;

/**
 * Returns the identity of a task's error: its type, its message without the parts that differ from run to
 * run, and the innermost frames of the user's code.
 */
export function identifyError(error: TaskRunError, task: string): ErrorIdentity {
  const { name = "Error", message, stackTrace = "" } = serializeError(error);
  const parts = [task, name, normalizeMessage(message), ...ownFrames(stackTrace)];
  const digest = createHash("sha256").update(parts.join("\n")).digest("hex");
  return { fingerprint: digest.slice(0, 16), name };
}

/**
 * Parts of messages that differ from run to run, in the order in which they are replaced: quoted texts and
 * addresses come first, because they may contain all of the others. Each pattern is linear in the length of
 * the message.
 */
const VARIABLE_PARTS: readonly [RegExp, string][] = [
  [/\b[a-z][a-z0-9+.-]{0,20}:\/\/[^\s"'`<>)\]]+/gi, "<url>"],
  [/"[^"\n]{0,500}"|'(?<=(?:^|[^\w])')[^'\n]{0,500}'(?!\w)|`[^`\n]{0,500}`/g, "<string>"],
  [/[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63})+/g, "<email>"],
  [/\b[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\b/gi, "<uuid>"],
  [/\b\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:Z|[+-]\d{2}:?\d{2})?)?/g, "<time>"],
  [/\b0x[0-9a-f]+\b/gi, "<hex>"],
  [/\b(?=[0-9a-f]{0,64}\d)[0-9a-f]{8,}\b/gi, "<hex>"],
  // Ids such as run_8sk2…, cus_Nf2…: letters and digits mixed.
  [/\b(?=\w{0,64}\d)(?=\w{0,64}[a-z])\w{12,}\b/gi, "<id>"],
  [/\d+(?:[.,]\d+)*/g, "<number>"],
];

/** Returns the message without the parts that differ between errors of its kind. */
export function normalizeMessage(message: string): string {
  let text = message.slice(0, MESSAGE_LENGTH);
  for (const [pattern, name] of VARIABLE_PARTS) text = text.replace(pattern, name);
  return text.replace(/\s+/g, " ").trim();
}

/** Matches a V8 stack frame: `at fn (file:1:2)` or `at file:1:2`. */
const FRAME = /^\s*at (?:(.{1,200}?) \()?([^()\s]{1,1000}?)(?::\d+){1,2}\)?$/;

/** Frames of the platform and of libraries, which are the same for errors of different causes. */
const FOREIGN =
  /^node:|^internal\/|[/\\]node_modules[/\\]|[/\\]@?acme[/\\](?:sdk|runtime)|acme-runtime|^<anonymous>$|^native$/;

/**
 * Returns the innermost frames of the user's own code, without lines and columns, which change with every
 * edit of a file.
 */
export function ownFrames(stack: string): string[] {
  const frames: string[] = [];
  for (const line of stack.split("\n")) {
    const match = FRAME.exec(line);
    const file = match?.[2];
    if (!file || FOREIGN.test(file)) continue;
    frames.push(`${functionName(match[1])} ${filePlace(file)}`);
    if (frames.length === FRAMES) break;
  }
  return frames;
}

const functionName = (name = ""): string =>
  name
    .replace(/^(?:async|new) /, "")
    .replace(/^(?:Object|Module)\./, "")
    .replace(/ \[as [^\]]*\]$/, "");

/**
 * Returns the last two parts of a path: earlier parts name the machine, the deployment or a temporary folder.
 */
const filePlace = (file: string): string =>
  normalizeMessage(
    file
      .replace(/[?#].*$/, "")
      .split(/[/\\]/)
      .slice(-2)
      .join("/"),
  );
