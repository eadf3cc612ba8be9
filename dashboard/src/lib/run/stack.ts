export interface Frame {
  /** The name in the stack. */
  call: string;
  location: string;
  /** True: the frame is from the user's own code, not from a library, Node.js or the platform's runtime. */
  own: boolean;
}

/** Source maps name the user's files relative to the project; all else is a library, Node.js or the runtime. */
const FOREIGN = /^(?:file:|node:|\/|[A-Za-z]:[\\/]|\.\.|<)|node_modules|\bnative\b/;
/** A bundle is in a folder of its host, so the part before the project's own path is meaningless. */
const BUNDLE = /^(?:file:\/\/)?.*\/bundles\//;

/** Returns the frames of a stack trace in order. Other lines are left out. */
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
