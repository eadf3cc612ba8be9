import { log } from "@acme/durable-objects/lib/log";
import { configurationProblem } from "../auth/configuration.ts";
import type { Bindings } from "../bindings.ts";
import { mailSettings } from "../mail/settings.ts";
import { dispatcherObject } from "../objects.ts";
import { openBlobs } from "../storage/blobs.ts";
import { openRepository } from "../storage/open.ts";
import { hasClickHouse, openClickHouse } from "../telemetry/clickhouse/client.ts";
import { schemaVersion } from "../telemetry/clickhouse/migrate.ts";
import { LATEST_VERSION } from "../telemetry/clickhouse/migrations.ts";

/** How long the check waits: load balancers do not wait longer. */
const DEADLINE_MS = 3_000;
/** Anybody may request the health at any rate, so the parts are checked at most once in this time. */
const REMEMBERED_MS = 1_000;
const SILENT = "it does not answer";

export interface ServerHealth {
  ok: boolean;
  /** `ok`, or the problem. */
  worker: string;
  objects: string;
  database: string;
  configuration: string;
  blobs: string;
  hosts: string;
  mail: string;
  clickhouse?: string;
}

/** The answer, and never its promise: what a request waits for must not belong to another one, which may be over. */
let remembered: { env: Bindings; at: number; health: ServerHealth } | undefined;

/** How the parts are, as of a moment ago at most. */
export async function healthOf(env: Bindings): Promise<ServerHealth> {
  if (remembered?.env === env && Date.now() - remembered.at < REMEMBERED_MS) return remembered.health;
  const health = await checkParts(env);
  remembered = { env, at: Date.now(), health };
  return health;
}

/**
 * Asks each part, and waits for none longer than the deadline. The server is healthy where what each request needs is: an object, the
 * database and the configuration. The others are named only: runs are triggered and recorded without them.
 */
async function checkParts(env: Bindings): Promise<ServerHealth> {
  const [objects, database, blobs, clickhouse] = await Promise.all([
    check(() => dispatcherObject(env).hosts()),
    check(() => openRepository(env).ping()),
    check(() => openBlobs(env).size("health/none")),
    hasClickHouse(env) ? checkClickHouse(env) : undefined,
  ]);
  const configuration = configurationProblem(env) ?? "ok";
  const connected = objects.value?.length;
  return {
    ok: objects.state === "ok" && database.state === "ok" && configuration === "ok",
    worker: "ok",
    objects: objects.state,
    database: database.state,
    configuration,
    blobs: blobs.state,
    hosts: connected === undefined ? "not known" : connected > 0 ? "ok" : "none is connected",
    mail: mailState(env),
    ...(clickhouse === undefined ? {} : { clickhouse }),
  };
}

function mailState(env: Bindings): string {
  const settings = mailSettings(env);
  if (!settings) return "not configured";
  return "problem" in settings ? settings.problem : "ok";
}

/** The route is public, so the message says only what to do about an error. */
async function checkClickHouse(env: Bindings): Promise<string> {
  try {
    const known = await within(schemaVersion(openClickHouse(env).client));
    if (known === SILENT) return known;
    if (known >= LATEST_VERSION) return "ok";
    return `its schema is version ${known} and ${LATEST_VERSION} is needed: run npm run migrate:clickhouse`;
  } catch (error) {
    log.error("ClickHouse can't be used", { error });
    return "it does not answer, or refuses this server (the Worker's log says why)";
  }
}

async function check<T>(ask: () => Promise<T>): Promise<{ state: string; value?: T }> {
  try {
    const value = await within(ask());
    return value === SILENT ? { state: SILENT } : { state: "ok", value };
  } catch (error) {
    return { state: reasonOf(error) };
  }
}

const within = <T>(work: Promise<T>): Promise<T | typeof SILENT> => {
  // What fails after the deadline has been answered for.
  work.catch(() => {});
  return Promise.race([work, scheduler.wait(DEADLINE_MS).then((): typeof SILENT => SILENT)]);
};

/** Returns the innermost cause, because the outer database errors repeat the statement. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error.cause instanceof Error) return reasonOf(error.cause);
  const unmigrated = /no such table|relation .* does not exist/.test(error.message);
  return unmigrated ? `${error.message} (were the migrations applied? see README.md)` : error.message;
}
