export interface Frame {
  /** As the stack names it. */
  call: string;
  location: string;
  /** Of the user's own code, not of a library, Node.js or the platform's runtime. */
  own: boolean;
}

/** Source maps name the user's files relative to the project; all else is a library, Node.js or the runtime. */
const FOREIGN = /^(?:file:|node:|\/|[A-Za-z]:[\\/]|\.\.|<)|node_modules|\bnative\b/;
/** A bundle lies in a folder of its host: what comes before the project's own path says nothing. */
const BUNDLE = /^(?:file:\/\/)?.*\/bundles\//;

/** The frames of a stack trace, in their order. Lines that are none are left out. */
export function framesOf(stack: string): Frame[] {
  const frames: Frame[] = [];
  for (const line of stack.slice(0, 100_000).split("\n")) {
    const match = /^\s*at (?:(.*?) \()?(.*?)\)?$/.exec(line);
    if (!match) continue;
    const location = (match[2] ?? "").replace(/^async /, "").replace(BUNDLE, "");
    const call = (match[1] ?? "").replace(/^async /, "").replace("<anonymous>", "");
    frames.push({ call: call || "anonymous", location, own: !FOREIGN.test(location) });
  }
  return frames;
}
