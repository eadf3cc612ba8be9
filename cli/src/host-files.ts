import { fileURLToPath } from "node:url";
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

/** Returns the command that runs this CLI, wherever it is installed. */
const thisCli = (): string[] => [
  process.execPath,
  process.argv[1] ?? fileURLToPath(new URL("../bin/acme.mjs", import.meta.url)),
];

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
 * read.
 */
export function systemdUnit({ apiUrl, args }: HostService): string {
  const command = [...thisCli(), "host", "--data", DATA, ...args].map(word).join(" ");
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

/** YAML accepts JSON strings; Compose expands $. */
const yaml = (text: string): string => JSON.stringify(text).replaceAll("$", "$$$$");

/**
 * Returns a Compose file that runs a container host in a container, with the machine's own Docker Engine. Its
 * data folder has the same path inside and outside, because the Engine mounts its files into the containers
 * of runs.
 */
export function composeFile({ apiUrl, args }: HostService): string {
  const command = ["npx", "--yes", `@acme/cli@${VERSION}`, "host", "--data", DATA, ...args].map(yaml);
  return `# The host token is in the file host-token beside this one: chmod 600 host-token
services:
  acme-host:
    image: node:24-bookworm
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
