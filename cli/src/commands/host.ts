import { HOST_FLAGS, TOKEN_FILE_FLAG, variableOf } from "@acme/container-host/flags";
import { type Command, Option } from "commander";
import { CliError } from "../errors.ts";

interface HostCommandOptions extends Record<string, string | boolean | undefined> {
  apiUrl?: string;
  printSystemd?: boolean;
  printCompose?: boolean;
}

export function addHostCommand(program: Command): void {
  const command = program
    .command("host")
    .description("run a container host on this machine: it executes the runs of a server")
    .option("-a, --api-url <url>", "server, instead of ACME_API_URL")
    .option(`--${TOKEN_FILE_FLAG} <file>`, "read the host token from this file, instead of ACME_HOST_TOKEN")
    .option("--print-systemd", "print a systemd unit with these options, and exit")
    .option("--print-compose", "print a file for Docker Compose with these options, and exit");
  for (const [flag, { value, description }] of Object.entries(HOST_FLAGS))
    command.addOption(new Option(`--${flag} <${value}>`, description).env(variableOf(flag)));
  command
    .addHelpText(
      "after",
      `
The host registers once, with the server's host token (HOST_TOKEN, or hostToken in
the local.json of \`acme up\`); then it has a credential of its own in its data
folder, which \`acme admin hosts revoke\` revokes. It polls: no port is opened.
SIGTERM drains it: it takes no more runs, gives executing runs --drain-ms to
end, and returns the rest to their queues.

Examples:
  $ acme host --api-url https://acme.example.com --host-token-file /etc/acme/host-token
  $ acme host --print-systemd --api-url https://acme.example.com | sudo tee /etc/systemd/system/acme-host.service
  $ acme host --print-compose --api-url https://acme.example.com > compose.yaml`,
    )
    .action(run);
}

const camelCase = (flag: string): string =>
  flag.replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase());

/** Returns the given options as arguments. */
function argumentsOf(options: HostCommandOptions, flags: string[]): string[] {
  return flags.flatMap((flag) => {
    const value = options[camelCase(flag)];
    return typeof value === "string" ? [`--${flag}`, value] : [];
  });
}

async function run(options: HostCommandOptions): Promise<void> {
  const apiUrl = options.apiUrl ?? process.env.ACME_API_URL;
  if (!apiUrl)
    throw new CliError(
      "The server's address is missing: pass --api-url https://acme.example.com, or set ACME_API_URL.",
    );
  const { serverAddress } = await import("../access.ts");
  const address = serverAddress(apiUrl);
  const flags = Object.keys(HOST_FLAGS);
  if (options.printSystemd || options.printCompose) {
    const { composeFile, systemdUnit } = await import("../host-files.ts");
    const args = argumentsOf(
      options,
      flags.filter((flag) => flag !== "data"),
    );
    console.log((options.printSystemd ? systemdUnit : composeFile)({ apiUrl: address, args }));
    return;
  }
  process.env.ACME_API_URL = address;
  const { runHost } = await import("@acme/container-host/program");
  await runHost(argumentsOf(options, [...flags, TOKEN_FILE_FLAG]));
}
