import { fileURLToPath } from "node:url";
import { CliError } from "./errors.ts";
import { VERSION } from "./version.ts";

interface HostService {
  apiUrl: string;
  /** Arguments of `acme host` in addition to the server and the data folder. */
  args: string[];
}

const DATA = "/var/lib/acme-host";
const TOKEN = "/etc/acme/host-token";
/** Longer than a host's default drain time (20 s) plus the time to return the remaining runs. */
const STOP_SECONDS = 60;

/** Caches of `npx`, `pnpm dlx` and `bunx`, which are emptied. */
const TEMPORARY = /[\\/](_npx|dlx(-[^\\/]*)?|bunx-[^\\/]*)[\\/]/;

/**
 * Returns the command that runs this CLI, wherever it is installed.
 * @throws CliError if it is not installed
 */
function thisCli(
  path = process.argv[1] ?? fileURLToPath(new URL("../bin/acme.mjs", import.meta.url)),
): string[] {
  if (!TEMPORARY.test(path)) return [process.execPath, path];
  throw new CliError(
    `The unit would run ${path}, which a package manager may delete. Install the command first (npm install --global @acme/cli@${VERSION}), then run \`acme host --print-systemd\`.`,
  );
}

const DRAIN = "--drain-ms";

/** systemd waits for as long as the host may drain. */
function stopSeconds(args: string[]): number {
  const drain = args.indexOf(DRAIN);
  const ms = drain === -1 ? 0 : Number(args[drain + 1]);
  return Math.max(STOP_SECONDS, Math.ceil((Number.isFinite(ms) ? ms : 0) / 1000) + 30);
}

/** Quotes a word of a unit's command line: systemd splits at spaces and expands % and $. */
const word = (text: string): string => {
  const escaped = text.replaceAll("%", "%%").replaceAll("$", "$$$$");
  return /[\s"'\\;]/.test(escaped) ? `"${escaped.replace(/["\\]/g, "\\$&")}"` : escaped;
};

/**
 * Returns a unit that runs this CLI as a container host. The token is read from a file that only root can
 * read. `cli`: path of its program.
 * @throws CliError if the program is only in a cache
 */
export function systemdUnit({ apiUrl, args }: HostService, cli?: string): string {
  const command = [...thisCli(cli), "host", "--data", DATA, ...args].map(word).join(" ");
  return `# 1. The host token, which only root can read:  install -D -m 600 /dev/stdin ${TOKEN}
# 2. This file as /etc/systemd/system/acme-host.service
# 3. systemctl daemon-reload && systemctl enable --now acme-host && journalctl -u acme-host -f
[Unit]
Description=Acme container host
Wants=network-online.target
After=network-online.target docker.service

[Service]
Environment=${word(`ACME_API_URL=${apiUrl}`)}
LoadCredential=host-token:${TOKEN}
Environment=ACME_HOST_TOKEN_FILE=%d/host-token
ExecStart=${command}
StateDirectory=acme-host
# SIGTERM drains the host; the processes that it started are killed only after that.
KillMode=mixed
TimeoutStopSec=${stopSeconds(args)}
Restart=always
RestartSec=5

[Install]
WantedBy=multi-user.target`;
}

/** iptables separates the containers of runs from the machine's networks. Neither is installed again at a restart. */
const INSTALL_AND_RUN = [
  "set -e",
  "command -v iptables >/dev/null || { apt-get update -qq; apt-get install -y -qq --no-install-recommends iptables; }",
  `command -v acme >/dev/null || npm install --global --no-audit --no-fund @acme/cli@${VERSION}`,
  'exec acme host "$@"',
].join("\n");

/** YAML accepts JSON strings; Compose expands $. */
const yaml = (text: string): string => JSON.stringify(text).replaceAll("$", "$$$$");

/**
 * Returns a Compose file that runs a container host in a container, with the machine's own Docker Engine. Its
 * data folder has the same path inside and outside, because the Engine mounts its files into the containers
 * of runs. The host itself receives the signal that stops the container: npx and npm would end without it.
 */
export function composeFile({ apiUrl, args }: HostService): string {
  const command = ["sh", "-c", INSTALL_AND_RUN, "acme-host", "--data", DATA, ...args].map(yaml);
  return `# The host token is in the file host-token beside this one: chmod 600 host-token
services:
  acme-host:
    image: node:24-bookworm-slim
    init: true
    command: [${command.join(", ")}]
    environment:
      ACME_API_URL: ${yaml(apiUrl)}
      ACME_HOST_TOKEN_FILE: /run/secrets/host-token
    secrets: [host-token]
    volumes:
      - /var/run/docker.sock:/var/run/docker.sock
      - ${DATA}:${DATA}
    # The rules that separate runs from the machine's networks are set in the machine's own network namespace.
    network_mode: host
    cap_add: [NET_ADMIN]
    restart: unless-stopped
    stop_signal: SIGTERM
    stop_grace_period: ${stopSeconds(args)}s
secrets:
  host-token:
    file: ./host-token`;
}
