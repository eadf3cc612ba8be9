import type { CallToolResult } from "@modelcontextprotocol/sdk/types.js";
import { CliError } from "../errors.ts";

/**
 * The maximum number of characters that a tool returns: more would fill the context of the model that reads
 * it.
 */
const MOST_CHARACTERS = 60_000;

/** Returns a tool's answer: JSON, truncated if it is too long. */
export function answer(value: unknown): CallToolResult {
  const text = JSON.stringify(value, null, 2);
  const shown =
    text.length > MOST_CHARACTERS
      ? `${text.slice(0, MOST_CHARACTERS)}\n… cut: ${text.length - MOST_CHARACTERS} more characters. Ask for less, with a filter or a lower limit.`
      : text;
  return { content: [{ type: "text", text: shown }] };
}

/** Errors of a tool are answers too, so that the model reads what to do. */
export async function answered(action: () => Promise<unknown>): Promise<CallToolResult> {
  try {
    return answer(await action());
  } catch (error) {
    const text =
      error instanceof CliError
        ? error.message
        : `This is a bug of acme: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`;
    return { content: [{ type: "text", text }], isError: true };
  }
}
