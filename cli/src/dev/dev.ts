import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { basename, join } from "node:path";
import {
  type AttemptEnd,
  HostError,
  logTo,
  type RunningHost,
  type RunObserver,
  startHost,
  TunnelApi,
} from "@acme/container-host";
import type { DequeuedRun, TunnelFailure, WorkerManifest } from "@acme/sdk/contract";
import { RegisteredDevelopment, TunnelTicket } from "@acme/sdk/contract/api";
import { Indexer } from "@acme/sdk/runtime";
import { inBranch } from "../api/branches-api.ts";
import { type ApiAccess, call, RefusalError } from "../api/call.ts";
import type { Bundle } from "../bundle/bundle.ts";
import { indexProject } from "../deploy.ts";
import { CliError } from "../errors.ts";
import { aborted, interruption } from "../interruption.ts";
import { loadProject, type Project } from "../project/load-config.ts";
import { namedAccess } from "./access.ts";
import { Bundler } from "./bundler.ts";
import { InspectorList } from "./inspector.ts";
import type { Screen } from "./screen.ts";
import { type LocalVariables, readVariables } from "./variables.ts";
import { watchProject } from "./watch.ts";

export interface DevOptions {
  /** The project's folder. */
  dir: string;
  config?: string;
  /** A branch of the development environment. */
  branch?: string;
  apiUrl?: string;
  envFiles?: string[];
  maxConcurrentRuns: number;
  takeOver: boolean;
  /** The address at which debuggers find the processes of tasks. Undefined: none can attach. */
  inspect: { host: string; port: number } | undefined;
  screen: Screen;
  /** Default: Ctrl-C, SIGTERM and the end of the parent. */
  signal?: AbortSignal;
}

/** The version that was last registered. */
interface Current {
  contentHash: string;
  registered: RegisteredDevelopment;
}

/**
 * Runs the tasks of a project on this machine: registers them with the development environment, executes its runs in local
 * processes, and registers them again whenever a file changes. Resolves when it is interrupted.
 * @throws CliError that says what to do
 */
export async function dev(options: DevOptions): Promise<void> {
  const { screen } = options;
  const signal = options.signal ?? interruption();
  const project = await loadProject(options.dir, options.config);
  const access = await namedAccess("dev", {
    apiUrl: options.apiUrl,
    branch: options.branch,
    cwd: project.root,
    project: () => project.config.project,
  });
  const used = options.branch ? await inBranch(access, "dev", options.branch) : access;
  const session = new DevSession(options, project, used);
  const refused = session.refused.then((failure) => {
    const status = ` (${failure.status})`;
    throw new CliError(failure.error.endsWith(status) ? failure.error : failure.error + status);
  });
  try {
    await Promise.race([session.start(), refused, aborted(signal)]);
    await Promise.race([session.failed, refused, aborted(signal)]);
    if (session.isRunning)
      screen.show({ type: "notice", message: "Stopping: executing runs are returned to their queues…" });
  } finally {
    await session.stop();
  }
}

class DevSession {
  readonly #options: DevOptions;
  readonly #access: ApiAccess;
  readonly #refused = Promise.withResolvers<TunnelFailure>();
  /** The bundles of the versions that were built since the start, by deployment id. */
  readonly #bundles = new Map<string, string>();
  readonly #startedAt = new Map<string, number>();
  #project: Project;
  #variables: LocalVariables;
  #bundler: Bundler | null = null;
  /** Started before it is needed, with the current variables. */
  #indexer: Indexer | null = null;
  #current: Current | null = null;
  #host: RunningHost | null = null;
  #inspector: InspectorList | null = null;
  #building: Promise<void> = Promise.resolve();
  #watching: ReturnType<typeof watchProject> | null = null;
  /** The message of the current problem in the code, until it is solved. */
  #problem: string | null = null;
  /** Null: not known yet. */
  #isConnected: boolean | null = null;
  #connecting: Promise<void> | null = null;
  /** Resolves when the server knows this machine. */
  #ready: Promise<void> | null = null;
  #isIntroduced = false;
  /** Null: not known yet. */
  #environmentKey: string | null = null;
  #isRefused = false;
  readonly #failed = Promise.withResolvers<never>();

  constructor(options: DevOptions, project: Project, access: ApiAccess) {
    this.#options = options;
    this.#project = project;
    this.#access = access;
    this.#variables = readVariables(project.root, options.envFiles);
    this.#refused.promise.catch(() => {});
    this.#failed.promise.catch(() => {});
  }

  /** Rejects with an error that no change of the code can solve. */
  get failed(): Promise<never> {
    return this.#failed.promise;
  }

  get isRunning(): boolean {
    return this.#startedAt.size > 0;
  }

  /** The server refuses this machine, which ends its tunnel. */
  get refused(): Promise<TunnelFailure> {
    return this.#refused.promise;
  }

  async start(): Promise<void> {
    const { root } = this.#project;
    const { inspect, screen } = this.#options;
    if (inspect) this.#inspector = await InspectorList.open(inspect, basename(root));
    this.#watching = watchProject(root, (paths) => this.#changed(paths));
    this.#connecting = this.#connect();
    await Promise.all([this.#watching.ready, this.#connecting]);
    await Promise.race([this.#ready, this.#refused.promise]);
    if (this.#isRefused) return;
    if (this.#inspector) screen.show({ type: "inspector", address: this.#inspector.address });
    this.#building = this.#building.then(() => this.#rebuild(true));
    await this.#building;
  }

  async stop(): Promise<void> {
    await this.#watching?.close();
    // A host that is being started has to be stopped too.
    await this.#connecting?.catch(() => {});
    await this.#building.catch(() => {});
    this.#dropIndexer();
    await this.#host?.stop();
    await this.#bundler?.close();
    this.#inspector?.close();
  }

  /** Builds are sequential: changes during a build are built by the next one. */
  #changed(paths: string[]): void {
    const { configFile, root } = this.#project;
    const isConfiguration = paths.includes(configFile);
    const isVariables = paths.some((path) => basename(path).startsWith(".env"));
    this.#building = this.#building.then(() =>
      this.#rebuild(isConfiguration || isVariables, async () => {
        if (isConfiguration) this.#project = await loadProject(root, this.#options.config);
        if (isVariables) this.#variables = readVariables(root, this.#options.envFiles);
      }),
    );
  }

  /** Builds the project and registers it if it has changed. `fresh`: with a new bundler, which reads all files again. */
  async #rebuild(fresh: boolean, before?: () => Promise<void>): Promise<void> {
    const begun = performance.now();
    let built: { bundle: Bundle; file: string; manifest: WorkerManifest };
    try {
      await before?.();
      this.#prepareIndexer(fresh);
      if (fresh || !this.#bundler) {
        await this.#bundler?.close();
        this.#bundler = null;
        this.#bundler = await Bundler.open(this.#project, this.#variables.hash, this.#inspector !== null);
      }
      const bundle = await this.#bundler.build();
      if (bundle.contentHash === this.#current?.contentHash) {
        if (this.#problem !== null) this.#solved();
        return;
      }
      const file = this.#keep(bundle.contentHash, bundle.code);
      const { manifest, output } = await indexProject(this.#project, file, this.#takeIndexer());
      if (output.trim()) this.#options.screen.show({ type: "output", text: output });
      built = { bundle, file, manifest };
    } catch (error) {
      if (error instanceof CliError) this.#show(error);
      else this.#failed.reject(error);
      return;
    }
    try {
      await this.#register(built, begun);
    } catch (error) {
      // If the server is unreachable, this is repeated when it is back.
      if (error instanceof CliError && this.#current !== null) this.#show(error);
      else this.#failed.reject(error);
    }
  }

  async #register(
    { bundle, file, manifest }: { bundle: Bundle; file: string; manifest: WorkerManifest },
    begun: number,
  ): Promise<void> {
    const { screen } = this.#options;
    const { contentHash } = bundle;
    const registered = await call(this.#access, RegisteredDevelopment, "POST", "/engine/v1/dev/versions", {
      contentHash,
      bundleBytes: bundle.code.byteLength,
      manifest,
    });
    this.#bundles.set(registered.deploymentId, file);
    const isFirst = this.#current === null;
    this.#current = { contentHash, registered };
    this.#problem = null;
    screen.show({
      type: "version",
      version: registered.version,
      tasks: manifest.tasks.map(({ id }) => id),
      files: bundle.files,
      isFirst,
      ms: performance.now() - begun,
    });
    this.#keepWarm(registered.deploymentId);
    this.#prepareIndexer(false);
    for (const warning of bundle.warnings) screen.show({ type: "notice", message: warning });
  }

  /**
   * Prepares a process for the first run of a version. If that fails, the run starts one itself, and reports
   * why it can't.
   */
  #keepWarm(deploymentId: string): void {
    if (this.#environmentKey === null) return;
    const { machine } = this.#project.config;
    this.#host?.keepWarm(deploymentId, { environmentKey: this.#environmentKey, machine }).catch(() => {});
  }

  /** Starts the process that loads the next bundle, unless there is one. `fresh`: variables may have changed. */
  #prepareIndexer(fresh: boolean): void {
    if (fresh) this.#dropIndexer();
    if (!this.#indexer?.isAlive) this.#indexer = new Indexer({ env: this.#variables.variables });
  }

  #takeIndexer(): Indexer {
    this.#prepareIndexer(false);
    const indexer = this.#indexer as Indexer;
    this.#indexer = null;
    return indexer;
  }

  #dropIndexer(): void {
    this.#indexer?.close();
    this.#indexer = null;
  }

  /** Shows a problem in the code only once, because editors save a file more than once. */
  #show(error: CliError): void {
    if (error.message === this.#problem) return;
    this.#problem = error.message;
    this.#options.screen.show({ type: "problem", message: error.message });
  }

  #solved(): void {
    this.#problem = null;
    const version = this.#current?.registered.version ?? "";
    this.#options.screen.show({ type: "solved", version });
  }

  async #ticket(): Promise<string> {
    const path = "/engine/v1/dev/tunnel";
    const { token, environment, project } = await call(this.#access, TunnelTicket, "POST", path);
    this.#environmentKey = environment.key;
    if (!this.#isIntroduced) {
      this.#isIntroduced = true;
      const { apiUrl } = this.#access;
      this.#options.screen.show({
        type: "connected",
        project: project.name,
        environment: environment.slug,
        apiUrl,
      });
    }
    return token;
  }

  /** Writes the bundle where the host looks for it, so that it does not have to fetch it. */
  #keep(contentHash: string, code: Uint8Array): string {
    const folder = join(this.#dataFolder, "bundles");
    const file = join(folder, `${contentHash}.mjs`);
    if (existsSync(file)) return file;
    mkdirSync(folder, { recursive: true });
    writeFileSync(`${file}.new`, code);
    renameSync(`${file}.new`, file);
    return file;
  }

  get #dataFolder(): string {
    return join(this.#project.root, ".acme", "dev");
  }

  async #connect(): Promise<void> {
    const { maxConcurrentRuns, screen } = this.#options;
    try {
      this.#host = await startHost(
        {
          apiUrl: this.#access.apiUrl,
          // A tunnel needs no registration.
          hostToken: "tunnel",
          executor: "process",
          separateUsers: false,
          dataDir: this.#dataFolder,
          concurrency: maxConcurrentRuns,
          metricsPort: null,
          drainMs: 0,
          taskFolder: this.#project.root,
          // Each process has its own port.
          nodeArguments: this.#inspector ? ["--inspect=127.0.0.1:0"] : [],
        },
        // The connection's state is shown by `onConnection`.
        logTo((level, message) => {
          if (level === "error") screen.show({ type: "notice", message });
        }),
        {
          api: (hostId) => this.#tunnel(hostId),
          observer: this.#observer(),
          taskVariables: () => this.#variables.variables,
          inspected: this.#inspector ?? undefined,
        },
      );
    } catch (error) {
      if (!(error instanceof HostError)) throw error;
      throw new CliError(
        error.message.includes("in use")
          ? `\`acme dev\` is already running in this folder${/ \(process \d+\)/.exec(error.message)?.[0] ?? ""}: stop it first.`
          : error.message,
      );
    }
    this.#ready = this.#host.ready.catch((error: unknown) => {
      const message = error instanceof Error ? error.message : String(error);
      this.#refuse({ id: 0, status: 503, code: "unavailable", error: message });
    });
  }

  #tunnel(machine: string): TunnelApi {
    const { screen, takeOver } = this.#options;
    const { apiUrl } = this.#access;
    const tunnel = new TunnelApi({
      apiUrl,
      token: async () => {
        try {
          return await this.#ticket();
        } catch (error) {
          // If the server refuses a request, it will refuse it again; other errors are temporary.
          if (
            error instanceof RefusalError &&
            error.status >= 400 &&
            error.status < 500 &&
            error.status !== 429
          )
            tunnel.refuse({ id: 0, status: error.status, code: error.code ?? "", error: error.message });
          return undefined;
        }
      },
      query: {
        name: hostname().slice(0, 128) || "a machine",
        machine,
        takeOver: takeOver ? "1" : "0",
      },
      bundle: (deploymentId) => {
        const file = this.#bundles.get(deploymentId);
        return file === undefined ? undefined : readFileSync(file);
      },
      onConnection: (isOpen) => {
        if (this.#isConnected === isOpen) return;
        if (this.#isConnected !== null || !isOpen) screen.show({ type: "connection", isOpen, apiUrl });
        // Registers what could not be registered while the server was unreachable.
        if (this.#current !== null && isOpen) this.#changed([]);
        this.#isConnected = isOpen;
      },
      onRefused: (failure) => this.#refuse(failure),
    });
    return tunnel;
  }

  #refuse(failure: TunnelFailure): void {
    this.#isRefused = true;
    this.#refused.resolve(failure);
  }

  /** Paths in a bundle's stack traces are relative to its folder, as they are to the project's. */
  #withPathsOfProject(end: AttemptEnd): AttemptEnd {
    if (end.type !== "failure" || !("stackTrace" in end.error)) return end;
    const folder = `${join(this.#dataFolder, "bundles")}/`;
    const stackTrace = end.error.stackTrace?.replaceAll(folder, "").replaceAll(`${this.#project.root}/`, "");
    return { ...end, error: { ...end.error, stackTrace: stackTrace ?? "" } };
  }

  #observer(): RunObserver {
    const { screen } = this.#options;
    const url = ({ runId }: DequeuedRun): string => `${this.#access.apiUrl}/r/${runId}`;
    return {
      started: (run) => {
        this.#startedAt.set(run.runId, performance.now());
        screen.show({ type: "run", state: "started", run, url: url(run) });
      },
      logged: (run, entries) => screen.show({ type: "log", run, entries }),
      ended: (run, found: AttemptEnd) => {
        const end = this.#withPathsOfProject(found);
        const begun = this.#startedAt.get(run.runId);
        this.#startedAt.delete(run.runId);
        if (end.type === "suspended") screen.show({ type: "run", state: "suspended", run, url: url(run) });
        else {
          const ms = begun === undefined ? 0 : performance.now() - begun;
          screen.show({ type: "run", state: "ended", run, url: url(run), end, ms });
        }
      },
    };
  }
}
