/** A text in workerd's Cap'n Proto configuration. */
const text = (value: string): string =>
  `"${value.replace(/[\\"]/g, "\\$&").replace(/[^\x20-\x7e]/g, (c) => [...new TextEncoder().encode(c)].map((b) => `\\x${b.toString(16).padStart(2, "0")}`).join(""))}"`;

const list = (items: string[]): string => `[\n${items.map((item) => `    ${item},`).join("\n")}\n  ]`;

/** This process among those of one server. */
export interface ShardConfig {
  index: number;
  /** The private sockets of all processes, by number, relative to workerd's working directory. */
  sockets: string[];
  /** The socket of the server's placements, also relative. */
  placements: string;
}

export interface WorkerdConfig {
  /** Address to listen on, `host:port`. Absent: the socket `http` is handed over by a descriptor. */
  address?: string;
  /** Absent: the only process. */
  shard?: ShardConfig;
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
  const { shard } = config;
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
    ...(shard ? shardBindings(shard) : []),
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
    ...(shard ? shardServices(shard) : []),
  ];
  const namespaces = config.objects.map(
    ({ className }) =>
      `(className = ${text(className)}, uniqueKey = ${text(`acme-${className}`)}, enableSql = true)`,
  );
  const address = config.address === undefined ? "" : `address = ${text(config.address)}, `;
  const sockets = [
    `(name = "http", ${address}http = (), service = "main")`,
    ...(shard ? [shardSocket(shard)] : []),
  ];
  return `using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  services = ${list(services)},
  sockets = ${list(sockets)},
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

/** Host name of connections for RPC between processes. */
const RPC_HOST = "rpc";

const peersOf = ({ index, sockets }: ShardConfig): number[] =>
  [...sockets.keys()].filter((each) => each !== index);

const shardBindings = (shard: ShardConfig): string[] => [
  `(name = "SHARD", text = ${text(String(shard.index))})`,
  `(name = "PLACEMENTS", service = "placements")`,
  ...peersOf(shard).map((index) => `(name = "SHARD_${index}", service = "shard-${index}")`),
];

const shardServices = (shard: ShardConfig): string[] => [
  `(name = "placements", external = (address = ${text(`unix:${shard.placements}`)}, http = ()))`,
  ...peersOf(shard).map((index) => {
    const address = text(`unix:${shard.sockets[index]}`);
    return `(name = "shard-${index}", external = (address = ${address}, http = (capnpConnectHost = ${text(RPC_HOST)})))`;
  }),
];

/** Where the other processes call this one. Only processes of this user reach it: it is in the data folder. */
const shardSocket = (shard: ShardConfig): string =>
  `(name = "peers", address = ${text(`unix:${shard.sockets[shard.index]}`)}, http = (capnpConnectHost = ${text(RPC_HOST)}), service = (name = "main", entrypoint = "ShardEntrypoint"))`;
