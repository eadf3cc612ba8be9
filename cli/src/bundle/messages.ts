import { enterFileStatement } from "@acme/sdk/bundle";
import type { BuildFailure, Message } from "esbuild";
import type { Problem } from "../errors.ts";

const isBuildFailure = (error: unknown): error is BuildFailure => error instanceof Error && "errors" in error;

/**
 * Returns the errors of a failed build as problems in the user's code. Rethrows anything that is not a failed
 * build.
 */
export function problemsOf(error: unknown): Problem[] {
  if (isBuildFailure(error)) return error.errors.map(problemOf);
  throw error;
}

export function problemOf(message: Message): Problem {
  return {
    ...placeOf(message.location),
    ...reword(message.text),
    ...(typeof message.detail === "object" && message.detail !== null
      ? (message.detail as Partial<Problem>)
      : {}),
  };
}

/**
 * Returns the position in the source, without the statement that was inserted before it (see
 * `enterFileStatement`).
 */
function placeOf(location: Message["location"]): Pick<Problem, "file" | "line" | "column" | "source"> {
  if (!location) return {};
  const { file, line, column, lineText } = location;
  const added = enterFileStatement(file);
  const shift = lineText.startsWith(added) ? added.length : 0;
  return { file, line, column: Math.max(column - shift, 0) + 1, source: lineText.slice(shift) };
}

/** Adds what to do to the most common messages. */
function reword(text: string): Pick<Problem, "message" | "remedy"> {
  const unresolved = /^Could not resolve "([^"]+)"/.exec(text)?.[1];
  if (unresolved && /^[./]/.test(unresolved)) {
    return { message: text, remedy: "check the path, and that the file exists" };
  }
  if (unresolved) {
    const name = unresolved
      .split("/")
      .slice(0, unresolved.startsWith("@") ? 2 : 1)
      .join("/");
    return { message: text, remedy: `install it in the project: npm install ${name}` };
  }
  const native = /^No loader is configured for "(\.node)" files/.test(text);
  if (native) {
    return {
      message: "A native module (.node) cannot be part of a deployment yet",
      remedy: "use a package without native code",
    };
  }
  return { message: text };
}
