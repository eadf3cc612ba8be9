export interface Frame {
  /** As the stack names it. */
  call: string;
  location: string;
  /** Of the user's own code, not of a library, Node.js or the platform's runtime. */
  own: boolean;
}

const FOREIGN = /node_modules|^node:|\(node:|@acme\/sdk|sdk\/src\/runtime|<anonymous>/;

/** The frames of a stack trace, in their order. Lines that are none are left out. */
export function framesOf(stack: string): Frame[] {
  const frames: Frame[] = [];
  for (const line of stack.slice(0, 100_000).split("\n")) {
    const match = /^\s*at (?:(.*?) \()?(.*?)\)?$/.exec(line);
    if (!match) continue;
    const location = match[2] ?? "";
    frames.push({ call: match[1] ?? "anonymous", location, own: !FOREIGN.test(line) });
  }
  return frames;
}
