import type { EnvironmentRef, Namespace, ObjectBindings } from "@acme/durable-objects/rpc";
import type { AlertsRpc } from "./alerts/rpc.ts";
import type { ArtifactsRpc } from "./artifacts/rpc.ts";
import type { HeldToken } from "./auth/access-token.ts";
import type { Authenticated } from "./auth/credentials.ts";
import type { BulkActionRpc } from "./bulk-actions/rpc.ts";
import type { OrganizationMember } from "./control/authenticate-organization.ts";
import type { ProjectDeletionRpc } from "./control/deletion/rpc.ts";
import type { MonitorRpc } from "./health/monitor/rpc.ts";
import type { LimiterRpc } from "./http/limiter-object.ts";
import type { ProviderVariables } from "./people/providers.ts";
import type { Person, Session } from "./people/session.ts";
import type { UserRpc } from "./people/user-object.ts";

/** The Worker's bindings. The objects are always present; the storages depend on where the Worker runs. */
export interface Bindings extends ObjectBindings, ProviderVariables {
  DATABASE: DurableObjectNamespace;
  LIMITER: Namespace<LimiterRpc>;
  BULK_ACTION: Namespace<BulkActionRpc>;
  DELETION: Namespace<ProjectDeletionRpc>;
  ALERTS: Namespace<AlertsRpc>;
  ARTIFACTS: Namespace<ArtifactsRpc>;
  USER: Namespace<UserRpc>;
  MONITOR: Namespace<MonitorRpc>;
  /** Query side in Postgres. It takes precedence over D1. */
  HYPERDRIVE?: Hyperdrive;
  /** Query side on Cloudflare. */
  DB?: D1Database;
  /** Bundles and large payloads on Cloudflare. */
  BUNDLES?: R2Bucket;
  /** Bundles and large payloads on one machine. */
  BLOBS?: Fetcher;
  /** The dashboard's static files on Cloudflare. */
  ASSETS?: Fetcher;
  /** The dashboard's static files on one machine. */
  DASHBOARD?: Fetcher;
  /** The token with which container hosts register. */
  HOST_TOKEN: string;
  /** The operator's token for `/admin/v1`. */
  ADMIN_TOKEN: string;
  /** What a scraper of `/metrics` authenticates with. Absent: nobody may. */
  METRICS_TOKEN?: string;
  /** Where the platform's own metrics are sent, as OpenTelemetry names these variables. Absent: nowhere. */
  OTEL_EXPORTER_OTLP_ENDPOINT?: string;
  OTEL_EXPORTER_OTLP_METRICS_ENDPOINT?: string;
  /** `NAME=VALUE,…`, a secret often. */
  OTEL_EXPORTER_OTLP_HEADERS?: string;
  /** Milliseconds between two pushes; default 60000. */
  OTEL_METRIC_EXPORT_INTERVAL?: string;
  /** `debug`, `info`, `warn` or `error`; and `json` or `pretty`: see durable-objects/src/lib/log.ts. */
  LOG_LEVEL?: string;
  LOG_FORMAT?: string;
  /** Sign the tokens and URLs that the server issues, and verify them: `ID:SECRET[@UNTIL],…` (see `auth/signing.ts`). */
  SIGNING_KEYS?: string;
  /** One signing key with the ID `default`. */
  SIGNING_KEY?: string;
  /** Wrap the keys that encrypt environment variables: `ID:SECRET,…` (see `control/sealing.ts`). */
  ENCRYPTION_KEYS?: string;
  /** `BURST,PER_SECOND` requests of one key; absent: 5000,1000. */
  API_RATE_LIMIT?: string;
  /** The number of an environment's versions without runs whose bundles are kept. Default 20. */
  KEEP_VERSIONS?: string;
  /** Who may sign up. `open`: everybody; otherwise people who were invited. */
  SIGN_UP?: string;
  /** Mail: see `mail/settings.ts`. */
  MAIL_URL?: string;
  MAIL_TOKEN?: string;
  /** Sender: `Acme <no-reply@example.com>`. */
  MAIL_FROM?: string;
  /** Header with the client's address, if a proxy in front of the server sets it. */
  CLIENT_ADDRESS_HEADER?: string;
  /**
   * JSON: US cents for a second by machine preset and for each start of a run (`run`), such as
   * `{"small-1x": 0.00338, "run": 0.0025}`. Absent: the prices in views/run-cost.ts.
   */
  MACHINE_PRICES?: string;
  /**
   * The maximum number of live connections of all environments that share the file descriptors of one
   * process. Absent: no limit.
   */
  MAX_LIVE_SOCKETS?: string;
  /**
   * The ClickHouse for logs, traces, metrics and runs: `http(s)://USER:PASSWORD@HOST:PORT/DATABASE`. Absent:
   * none is used.
   */
  CLICKHOUSE_URL?: string;
  /** Connects to ClickHouse if it is in a network that the Worker can't reach otherwise. */
  CLICKHOUSE?: Fetcher;
  /** `BURST,PER_SECOND` spans, log lines and metric points of one environment; absent: 500000,20000. */
  TELEMETRY_RATE_LIMIT?: string;
  /** For how many days ClickHouse keeps rows: `DAYS[,ORGANIZATION=DAYS…]`. Default 30. */
  TELEMETRY_RETENTION_DAYS?: string;
  /**
   * The networks that alerts may connect to, in the form of the server's `NETWORKS`. Absent or `public`:
   * public addresses only.
   */
  ALERT_NETWORKS?: string;
  /**
   * The service that connects to them on one machine. Absent: Workers' own `fetch`, which reaches public
   * addresses only.
   */
  ALERT_NETWORK?: Fetcher;
  /** The public address of the dashboard and the API, for links. */
  PUBLIC_URL?: string;
}

/** The type of the Hono application and of every route group. */
export type App = {
  Bindings: Bindings;
  /**
   * Variables that `access` (auth/middleware.ts) sets: the authenticated environment for routes that take a
   * secret key or an access token; the environments of a project for project-wide routes; the session, access
   * token, person, membership or container host for routes that take those; and nothing for others.
   */
  Variables: Authenticated & {
    session: Session;
    token: HeldToken;
    person: Person;
    member: OrganizationMember;
    projectEnvironments: EnvironmentRef[];
    host: { hostId: string };
    /** See `http/authorization.ts`. Null: the request has no such header. */
    authorization?: string | null;
  };
};
