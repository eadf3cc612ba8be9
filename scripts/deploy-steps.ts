/** The parts of wrangler.toml that decide how the query side is migrated. */
export interface StorageBindings {
  d1_databases?: { binding: string; database_name?: string; database_id?: string }[];
  hyperdrive?: { binding: string }[];
}

export interface DeployOptions {
  /** The path of wrangler.toml. */
  config: StorageBindings & { env?: Record<string, StorageBindings> };
  /** True: there is a dashboard to build. */
  dashboard: boolean;
  /** Skips every step that needs an account or a network. */
  dryRun: boolean;
  /** The address of Postgres itself: only Workers can use Hyperdrive's. */
  databaseUrl: string | undefined;
  /** Further arguments of `wrangler deploy`. */
  wranglerArgs: string[];
}

export interface DeployStep {
  title: string;
  program: "npm" | "node" | "wrangler";
  args: string[];
}

const NO_DATABASE_ID = /^[0-]*$/;

/** The steps of a deploy, in order, decided before the first one runs. @throws Error that says what is missing */
export function deploySteps(options: DeployOptions): DeployStep[] {
  const { config, dashboard, dryRun, databaseUrl, wranglerArgs } = options;
  const environment = environmentOf(wranglerArgs);
  // An environment of wrangler.toml does not inherit bindings from the top level.
  const bindings = environment === undefined ? config : config.env?.[environment];
  if (!bindings) throw new Error(`wrangler.toml has no environment "${environment}" ([env.${environment}])`);
  const check = {
    title: "Check that the migrations are complete",
    program: "node",
    args: ["scripts/migrate-generate.mjs", "--check"],
  } satisfies DeployStep;
  const build = {
    title: "Build the dashboard",
    program: "npm",
    args: ["run", "build", "--workspace", "dashboard"],
  } satisfies DeployStep;
  const deploy = {
    title: dryRun ? "Bundle the Worker" : "Deploy the Worker",
    program: "wrangler",
    args: ["deploy", ...(dryRun ? ["--dry-run"] : []), ...wranglerArgs],
  } satisfies DeployStep;
  // Migrations run before the code that needs them is deployed. The old code keeps serving meanwhile, so
  // migrations only add.
  const migrate = dryRun ? [] : migrationOf(bindings, databaseUrl, environment);
  return [check, ...(dashboard ? [build] : []), ...migrate, deploy];
}

function environmentOf(args: string[]): string | undefined {
  const at = args.findIndex((arg) => arg === "--env" || arg === "-e");
  return at >= 0 ? args[at + 1] : args.find((arg) => arg.startsWith("--env="))?.slice("--env=".length);
}

function migrationOf(
  bindings: StorageBindings,
  databaseUrl: string | undefined,
  environment: string | undefined,
): DeployStep[] {
  if (bindings.hyperdrive?.some(({ binding }) => binding === "HYPERDRIVE")) {
    if (!databaseUrl) {
      throw new Error(
        "wrangler.toml binds HYPERDRIVE, so the query side is Postgres. Set DATABASE_URL to the database's own address (postgres://USER:PASSWORD@HOST/DATABASE): its migrations are applied through that.",
      );
    }
    return [{ title: "Migrate Postgres", program: "node", args: ["scripts/migrate-postgres.mjs"] }];
  }
  const d1 = bindings.d1_databases?.find(({ binding }) => binding === "DB");
  // Without either, the query side is the database object, which migrates itself.
  if (!d1) return [];
  if (NO_DATABASE_ID.test(d1.database_id ?? "")) {
    throw new Error(
      `wrangler.toml has no real database_id for the D1 database "${d1.database_name}". Create it with \`npx wrangler d1 create ${d1.database_name}\` and write the id that it prints into wrangler.toml.`,
    );
  }
  const args = ["d1", "migrations", "apply", "DB", "--remote"];
  if (environment !== undefined) args.push("--env", environment);
  return [{ title: "Migrate D1", program: "wrangler", args }];
}
