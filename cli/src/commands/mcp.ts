import type { Command } from "commander";

interface McpCommandOptions {
  env: string;
  onlyEnv?: boolean;
  readOnly?: boolean;
  projectRef?: string;
  apiUrl?: string;
}

export function addMcpCommand(program: Command): void {
  program
    .command("mcp")
    .description("serve tools for coding agents on standard input and output (MCP)")
    .argument("[dir]", "the project's folder", ".")
    .option("-e, --env <slug>", "environment for tools that are called without one", "dev")
    .option("--only-env", "let tools act on no other environment")
    .option("--read-only", "offer no tools that change something")
    .option("-p, --project-ref <ref>", "project, instead of the configuration's")
    .option("-a, --api-url <url>", "server, instead of ACME_API_URL")
    .addHelpText(
      "after",
      `
Tools: list tasks, runs, queues and deployments; inspect a run with its logs and
trace; search errors; explain why a run is not executing; trigger, cancel and
replay runs; deploy and promote.

Add it to an agent, in the project's folder:
  $ claude mcp add acme -- npx acme mcp
  $ claude mcp add acme-prod -- npx acme mcp --env prod --read-only
or in its configuration:
  { "mcpServers": { "acme": { "command": "npx", "args": ["acme", "mcp"] } } }`,
    )
    .action(async (dir: string, options: McpCommandOptions) => {
      const [{ serveMcp }, { resolve }] = await Promise.all([
        import("../mcp/server.ts"),
        import("node:path"),
      ]);
      const { env, onlyEnv = false, readOnly = false, projectRef, apiUrl } = options;
      await serveMcp({ dir: resolve(dir), env, onlyEnv, readOnly, projectRef, apiUrl });
    });
}
