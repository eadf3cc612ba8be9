/** A text in workerd's Cap'n Proto configuration. */
const text = (value: string): string =>
  `"${value.replace(/[\\"]/g, "\\$&").replace(/[^\x20-\x7e]/g, (c) => [...new TextEncoder().encode(c)].map((b) => `\\x${b.toString(16).padStart(2, "0")}`).join(""))}"`;

const list = (items: string[]): string => `[\n${items.map((item) => `    ${item},`).join("\n")}\n  ]`;

export interface WorkerdConfig {
  /** Address to listen on, `host:port`. */
  address: string;
  /** Path of the Worker's module, relative to the configuration file. */
  module: string;
  compatibilityDate: string;
  compatibilityFlags: string[];
  objects: { binding: string; className: string }[];
  /** Bindings whose values workerd reads from files when it starts. Paths are relative to the configuration file. */
  secrets: Record<string, string>;
  vars: Record<string, string>;
  /** The networks that the Worker may connect to: `public`, `private`, or ranges of addresses. */
  networks: string[];
  /** The networks for alerts, which go to addresses that tenants choose. */
  alertNetworks: string[];
  /** PEM of certificates that it trusts in addition to browsers' default ones. */
  certificates: string[];
  /** Absolute path of the folder that holds the objects' SQLite files. */
  objectsPath: string;
  blobsPath: string;
  /** Static files of the dashboard, if it is built. */
  dashboardPath?: string;
  /** Origin of a ClickHouse. The Worker reaches only this address in its network. */
  clickhouseUrl?: string;
}

/**
 * Returns the configuration of a plain `workerd serve`: one Worker, its objects on disk, its bindings. An
 * object's files are found by its class's unique key, so those keys must never change.
 */
export function workerdConfig(config: WorkerdConfig): string {
  const bindings = [
    ...config.objects.map(
      (o) => `(name = ${text(o.binding)}, durableObjectNamespace = ${text(o.className)})`,
    ),
    ...Object.entries(config.secrets).map(
      ([name, path]) => `(name = ${text(name)}, text = embed ${text(path)})`,
    ),
    ...Object.entries(config.vars).map(([name, value]) => `(name = ${text(name)}, text = ${text(value)})`),
    `(name = "BLOBS", service = "blobs")`,
    `(name = "ALERT_NETWORK", service = "alerts")`,
    `(name = "ALERT_NETWORKS", text = ${text(config.alertNetworks.join(","))})`,
    ...(config.dashboardPath ? [`(name = "DASHBOARD", service = "dashboard")`] : []),
    ...(config.clickhouseUrl ? [`(name = "CLICKHOUSE", service = "clickhouse")`] : []),
  ];
  const network = (allowed: string[]): string =>
    `network = (allow = [${allowed.map(text).join(", ")}], tlsOptions = (trustBrowserCas = true, trustedCertificates = [${config.certificates.map(text).join(", ")}]))`;
  const services = [
    `(name = "main", worker = .worker)`,
    `(name = "objects", disk = (path = ${text(config.objectsPath)}, writable = true))`,
    `(name = "internet", ${network(config.networks)})`,
    `(name = "alerts", ${network(config.alertNetworks)})`,
    `(name = "blobs", disk = (path = ${text(config.blobsPath)}, writable = true))`,
    ...(config.dashboardPath ? [`(name = "dashboard", disk = (path = ${text(config.dashboardPath)}))`] : []),
    ...(config.clickhouseUrl ? [clickhouseService(config.clickhouseUrl, config.certificates)] : []),
  ];
  const namespaces = config.objects.map(
    ({ className }) =>
      `(className = ${text(className)}, uniqueKey = ${text(`acme-${className}`)}, enableSql = true)`,
  );
  return `using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  services = ${list(services)},
  sockets = [(name = "http", address = ${text(config.address)}, http = (), service = "main")],
);

const worker :Workerd.Worker = (
  modules = [(name = "worker.mjs", esModule = embed ${text(config.module)})],
  compatibilityDate = ${text(config.compatibilityDate)},
  compatibilityFlags = [${config.compatibilityFlags.map(text).join(", ")}],
  durableObjectNamespaces = ${list(namespaces)},
  durableObjectStorage = (localDisk = "objects"),
  bindings = ${list(bindings)},
);
`;
}

function clickhouseService(url: string, certificates: string[]): string {
  const { protocol, hostname, port } = new URL(url);
  const address = `${hostname}:${port || (protocol === "https:" ? "443" : "80")}`;
  const kind =
    protocol === "https:"
      ? `https = (tlsOptions = (trustBrowserCas = true, trustedCertificates = [${certificates.map(text).join(", ")}]), certificateHost = ${text(hostname)})`
      : "http = ()";
  return `(name = "clickhouse", external = (address = ${text(address)}, ${kind}))`;
}
