import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import { StdioServerTransport } from "@modelcontextprotocol/sdk/server/stdio.js";
import { VERSION } from "../version.ts";
import { type McpOptions, mcpContext } from "./context.ts";
import { addReadTools } from "./read-tools.ts";
import { addWriteTools } from "./write-tools.ts";

const INSTRUCTIONS = `Acme runs background tasks and durable workflows that are written in TypeScript (task({ id, run })).
A run is one call of a task. Start with list_tasks. After a change of the code, \`acme dev\` (if it is running) registers it with the environment \`dev\` automatically; other environments need \`deploy\`.
To find out what fails: search_errors, or list_runs with a status (FAILED, CRASHED, SYSTEM_FAILURE, TIMED_OUT), then get_run and get_trace. To find out why nothing happens: why_run.`;

/** Serves the tools on standard input and output, until its input ends. */
export async function serveMcp(options: McpOptions): Promise<void> {
  // Standard output belongs to the protocol.
  console.log = console.error;
  const server = new McpServer({ name: "acme", version: VERSION }, { instructions: INSTRUCTIONS });
  const context = mcpContext(options);
  addReadTools(server, context);
  if (!options.readOnly) addWriteTools(server, context);
  const ended = new Promise<void>((resolve) => {
    server.server.onclose = resolve;
    process.stdin.once("end", resolve);
  });
  await server.connect(new StdioServerTransport());
  await ended;
  await server.close();
}
