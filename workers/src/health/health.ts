import { configurationProblem } from "../auth/configuration.ts";
import type { Bindings } from "../bindings.ts";
import { dispatcherObject } from "../objects.ts";
import { openRepository } from "../storage/open.ts";
import { hasClickHouse, openClickHouse } from "../telemetry/clickhouse/client.ts";
import { schemaVersion } from "../telemetry/clickhouse/migrate.ts";
import { LATEST_VERSION } from "../telemetry/clickhouse/migrations.ts";

/** A load balancer does not wait longer. */
const CLICKHOUSE_MS = 3_000;

export interface ServerHealth {
  ok: boolean;
  /** `ok`, or what is wrong. */
  objects: string;
  database: string;
  configuration: string;
  clickhouse?: string;
}

/**
 * Whether the parts that a request needs answer (an object and the database) and the Worker's secrets are configured. ClickHouse
 * is named where there is one, but a server without it is healthy: runs need none.
 */
export async function healthOf(env: Bindings): Promise<ServerHealth> {
  const [objects, database, clickhouse] = await Promise.all([
    check(async () => void (await dispatcherObject(env).hosts())),
    check(() => openRepository(env).ping()),
    hasClickHouse(env) ? checkClickHouse(env) : undefined,
  ]);
  const configuration = configurationProblem(env) ?? "ok";
  const ok = objects === "ok" && database === "ok" && configuration === "ok";
  return { ok, objects, database, configuration, ...(clickhouse === undefined ? {} : { clickhouse }) };
}

/** Everybody may ask, so it says no more of an error than what there is to do. */
async function checkClickHouse(env: Bindings): Promise<string> {
  const late = scheduler.wait(CLICKHOUSE_MS).then(() => "it does not answer");
  try {
    const version = schemaVersion(openClickHouse(env).client);
    const known = await Promise.race([version, late]);
    if (typeof known === "string") return known;
    if (known >= LATEST_VERSION) return "ok";
    return `its schema is version ${known} and ${LATEST_VERSION} is needed: run npm run migrate:clickhouse`;
  } catch (error) {
    console.error("ClickHouse can't be used", error);
    return "it does not answer, or refuses this server (the Worker's log says why)";
  }
}

async function check(work: () => Promise<void>): Promise<string> {
  try {
    await work();
    return "ok";
  } catch (error) {
    return reasonOf(error);
  }
}

/** The innermost cause: around it, the database's errors repeat the statement. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error.cause instanceof Error) return reasonOf(error.cause);
  const unmigrated = /no such table|relation .* does not exist/.test(error.message);
  return unmigrated ? `${error.message} (were the migrations applied? see README.md)` : error.message;
}
