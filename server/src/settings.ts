import { existsSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import { parseEnv } from "node:util";
import { ServerError } from "./errors.ts";

/** Variables of the Worker that the settings file may set; docs/accounts.md and workers/README.md say what they mean. */
export const WORKER_SETTINGS = [
  "PUBLIC_URL",
  "SIGN_UP",
  "MAIL_URL",
  "MAIL_FROM",
  "MAIL_TOKEN",
  "GITHUB_CLIENT_ID",
  "GITHUB_CLIENT_SECRET",
  "GITHUB_URL",
  "GOOGLE_CLIENT_ID",
  "GOOGLE_CLIENT_SECRET",
  "GOOGLE_ISSUER",
  "OIDC_ISSUER",
  "OIDC_CLIENT_ID",
  "OIDC_CLIENT_SECRET",
  "OIDC_NAME",
  "OIDC_TRUST_EMAIL",
  "CLIENT_ADDRESS_HEADER",
  "API_RATE_LIMIT",
  "KEEP_VERSIONS",
  "MACHINE_PRICES",
  "CLICKHOUSE_URL",
  "TELEMETRY_RETENTION_DAYS",
  "TELEMETRY_RATE_LIMIT",
  "LOG_LEVEL",
  "OTEL_EXPORTER_OTLP_ENDPOINT",
  "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT",
  "OTEL_EXPORTER_OTLP_HEADERS",
  "OTEL_METRIC_EXPORT_INTERVAL",
] as const;

/** The networks that the Worker may connect to, in workerd's form: these words, or ranges of addresses. */
const NETWORK = /^(?:public|private|local|[\d.]+\/\d{1,2}|[\da-f:]+\/\d{1,3})$/i;

export interface Settings {
  /** Variables of the Worker. They may contain passwords. */
  worker: Record<string, string>;
  /** Networks that the Worker may connect to. */
  networks: string[];
  /** Networks that alerts may go to, whose addresses tenants choose. */
  alertNetworks: string[];
  /** PEM of certificates that it trusts in addition to browsers' default ones. */
  certificates: string[];
}

/**
 * Returns the settings of a data folder: a file of lines NAME=VALUE, or none.
 * @throws ServerError that names the invalid line
 */
export function loadSettings(path: string): Settings {
  const given = existsSync(path) ? parseEnv(readFileSync(path, "utf8")) : {};
  const {
    NETWORKS = "public",
    ALERT_NETWORKS = "public",
    TRUSTED_CERTIFICATES,
    ...worker
  } = given as Record<string, string>;
  const unknown = Object.keys(worker).filter((name) => !WORKER_SETTINGS.some((known) => known === name));
  if (unknown.length > 0) {
    throw new ServerError(
      `${path} sets ${unknown.join(", ")}, which the server does not know. It knows ${[...WORKER_SETTINGS, "NETWORKS", "ALERT_NETWORKS", "TRUSTED_CERTIFICATES"].join(", ")}.`,
    );
  }
  const networks = networksOf(path, "NETWORKS", NETWORKS);
  const alertNetworks = networksOf(path, "ALERT_NETWORKS", ALERT_NETWORKS);
  return { worker, networks, alertNetworks, certificates: certificatesOf(path, TRUSTED_CERTIFICATES) };
}

function networksOf(path: string, name: string, given: string): string[] {
  const networks = given.split(",").map((each) => each.trim());
  const wrong = networks.find((each) => !NETWORK.test(each));
  if (wrong === undefined) return networks;
  throw new ServerError(
    `${path}: ${name} has "${wrong}". It is a list of public, private, local and ranges like 10.0.0.0/8.`,
  );
}

function certificatesOf(path: string, file: string | undefined): string[] {
  if (!file) return [];
  let text: string;
  try {
    text = readFileSync(resolve(file), "utf8");
  } catch {
    throw new ServerError(`${path}: the file of TRUSTED_CERTIFICATES, ${file}, can't be read.`);
  }
  const certificates = text.match(/-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g);
  if (!certificates) throw new ServerError(`${path}: ${file} holds no certificate in PEM.`);
  return certificates;
}
