import { createHash } from "node:crypto";
import { hostname } from "node:os";
import {
  DEFAULT_MACHINE,
  type DequeuedRun,
  type DequeueResponse,
  type MachinePreset,
} from "@acme/sdk/contract";
import PACKAGE from "../package.json" with { type: "json" };
import { type HostApi, WorkerApi } from "./api.ts";
import { Attempts } from "./attempt/attempts.ts";
import type { RunObserver } from "./attempt/run-observer.ts";
import { sleep } from "./backoff.ts";
import { Bundles } from "./bundles.ts";
import { CheckpointHealth } from "./checkpoints/health.ts";
import { ProcessSaver } from "./checkpoints/saver.ts";
import { Checkpoints } from "./checkpoints/store.ts";
import { Deployments } from "./deployments.ts";
import { HostError } from "./errors.ts";
import type { Executor, RuntimeCheckpoints } from "./executor/executor.ts";
import { openExecutor } from "./executor/open.ts";
import { type HostFolders, type HostIdentity, takeDataFolder } from "./identity.ts";
import { type HostLog, stderrLog } from "./log.ts";
import { type Health, HostMetrics, serveMetrics } from "./metrics.ts";
import { HostOptions, type HostSettings, startsAtOnce } from "./options.ts";
import { pushMetrics } from "./otlp-metrics.ts";
import { Poller } from "./poller.ts";
import { Pool } from "./pool/pool.ts";
import { type Pressure, readPressure, roomFactor } from "./pressure.ts";
import { Reporter } from "./reporter.ts";
import { NOTHING, plus, roomFor } from "./resources.ts";
import { Session } from "./session.ts";
import { type Counts, DiskBuffer } from "./telemetry/disk-buffer.ts";
import { TelemetrySender } from "./telemetry/telemetry-sender.ts";

const SWEEP_MS = 250;
/** How many saved processes the server is asked about at once. */
const CHECKPOINTS_AT_ONCE = 500;
const PRESSURE_MS = 1_000;
/** The number of unacknowledged outcomes above which no more runs are taken. */
const MAX_UNACKNOWLEDGED = 5_000;
const MAX_UNACKNOWLEDGED_BYTES = 64 * 1024 * 1024;
/** How long the last reports to the server may take. */
const FAREWELL_MS = 3_000;
/** How long a stopping host waits for processes that are being saved. */
const SAVES_MS = 5_000;
const MAX_RUNS_PER_RUNTIME = 10_000;
const MAX_RUNTIME_AGE_MS = 6 * 3_600_000;

export interface InspectedProcesses {
  opened(pid: number, url: string): void;
  closed(pid: number): void;
}

export interface HostExtras {
  /** Another transport than HTTP, for the host with this id. */
  api?(hostId: string): HostApi;
  observer?: RunObserver;
  /** How busy the machine is, asked every second. Default: what the machine says. */
  pressure?(): Pressure;
  /**
   * Process executor: the variables that a new process gets in addition to those of its environment. Default:
   * PATH, HOME and similar variables of this process.
   */
  taskVariables?: () => Record<string, string>;
  /**
   * Process executor: called for each process to which a debugger can attach, because `nodeArguments` has
   * `--inspect`.
   */
  inspected?: InspectedProcesses;
}

export interface RunningHost {
  readonly hostId: string;
  readonly executor: Executor["name"];
  /** Base URL of /metrics and /healthz; null: not served. */
  readonly metricsUrl: string | null;
  /**
   * Resolves when the server has registered the host, which polls from then on. Rejects if the server refuses
   * it.
   */
  readonly ready: Promise<void>;
  /** Resolves when the host can't continue, because the server revoked it. */
  readonly failed: Promise<HostError>;
  /**
   * Keeps a runtime ready for this deployment only, from now on: even before its first run, and however long
   * it has none.
   * @throws ApiError, HostError or Error if the deployment can't be fetched
   */
  keepWarm(deploymentId: string, of: { environmentKey: string; machine?: MachinePreset }): Promise<void>;
  /**
   * Takes no more runs, lets running attempts end within the drain time, and returns the others to their
   * queues. Can be called twice.
   */
  stop(): Promise<void>;
  /** Kills all runtimes and ends without a report. The server's leases expire. */
  kill(): Promise<void>;
}

/**
 * Starts a container host: it asks the server for runs and executes them until it is stopped.
 * @throws HostError if the operator has to solve a problem first
 */
export async function startHost(
  options: HostOptions,
  log: HostLog = stderrLog(),
  extras: HostExtras = {},
): Promise<RunningHost> {
  const parsed = HostOptions.safeParse(options);
  if (!parsed.success) {
    throw new HostError(
      parsed.error.issues.map(({ path, message }) => `${path.join(".")}: ${message}`).join("\n"),
    );
  }
  const settings = parsed.data;
  const { credential, folders, hostId, unlock } = takeDataFolder(settings.dataDir);
  let executor: Executor | undefined;
  try {
    const opened = await openExecutor({
      settings,
      folders,
      hostId,
      log,
      taskVariables: extras.taskVariables,
      inspected: extras.inspected,
    });
    executor = opened.executor;
    const leftovers = await executor.cleanUp();
    if (leftovers > 0)
      log.warn(`Ended ${leftovers} runtimes that an earlier process of this host left behind`);
    const host = new Host(settings, executor, opened.warnings, { hostId, credential }, folders, log, extras);
    const served =
      settings.metricsPort === null
        ? null
        : await serveMetrics(host.metrics, () => host.health(), {
            host: settings.metricsHost,
            port: settings.metricsPort,
          });
    // A developer's machine is no part of the platform that its operator watches.
    const stopPushing = extras.api ? null : await pushMetrics(host.metrics.registry, hostId, log);
    let ended: Promise<void> | undefined;
    const end = (how: () => Promise<void>): Promise<void> => {
      ended ??= how().finally(async () => {
        await stopPushing?.();
        await served?.close();
        unlock();
      });
      return ended;
    };
    return {
      hostId,
      executor: executor.name,
      metricsUrl: served?.url ?? null,
      ready: host.start(),
      failed: host.failed,
      keepWarm: (deploymentId, of) => host.keepWarm(deploymentId, of),
      stop: () => end(() => host.stop()),
      kill: () => end(() => host.close()),
    };
  } catch (error) {
    await executor?.close();
    unlock();
    throw error;
  }
}

class Host {
  readonly metrics = new HostMetrics();
  readonly #settings: HostSettings;
  readonly #executor: Executor;
  readonly #warnings: string[];
  readonly #log: HostLog;
  readonly #api: HostApi;
  readonly #session: Session;
  readonly #pool: Pool;
  readonly #attempts: Attempts;
  readonly #reporter: Reporter;
  readonly #telemetry: TelemetrySender;
  readonly #poller: Poller;
  readonly #deployments: Deployments;
  /** Null: this host can't save processes. */
  readonly #checkpoints: { store: Checkpoints; health: CheckpointHealth; saver: ProcessSaver } | null;
  readonly #failed = Promise.withResolvers<HostError>();
  readonly #timers: NodeJS.Timeout[] = [];
  readonly #pressure: () => Pressure;
  #draining = false;
  #factor = 1;
  #usualMachine: MachinePreset = DEFAULT_MACHINE;

  constructor(
    settings: HostSettings,
    executor: Executor,
    warnings: string[],
    identity: Pick<HostIdentity, "hostId" | "credential">,
    folders: HostFolders,
    log: HostLog,
    extras: HostExtras,
  ) {
    const { hostId, credential } = identity;
    this.#settings = settings;
    this.#executor = executor;
    this.#warnings = warnings;
    this.#log = log;
    const { metrics } = this;
    const api = extras.api?.(hostId) ?? new WorkerApi(settings.apiUrl, settings.hostToken, credential);
    const { observer, pressure = readPressure } = extras;
    this.#pressure = pressure;
    const session = new Session(hostId);
    this.#api = api;
    this.#session = session;
    const bundles = new Bundles(folders.bundles, settings.bundleCacheBytes);
    const onDropped = (counts: Counts) => metrics.dropped(counts);
    const buffer = new DiskBuffer({
      folder: folders.telemetry,
      maxBytes: settings.telemetryBufferBytes,
      log,
      onDropped,
    });
    this.#telemetry = new TelemetrySender({ api, session, log, buffer, onDropped });
    this.#reporter = new Reporter({
      api,
      session,
      log,
      executing: () => this.#attempts.size,
      onLost: (lease, verdict) => {
        const attempt = this.#attempts.find(lease);
        if (verdict === "canceled") attempt?.cancel();
        else attempt?.lost();
      },
      onRenewed: (lease, apiToken) => this.#attempts.find(lease)?.renewed(apiToken),
      onJournaled: (journal) => this.#attempts.find(journal)?.journaled(journal),
      onJournalRefused: (journal, message) => this.#attempts.find(journal)?.journalRefused(message),
      onSuspension: (suspension, verdict) => this.#attempts.find(suspension)?.suspensionAnswered(verdict),
      onCheckpoint: ({ id, runId }, verdict) => {
        if (verdict === "drop" && !this.#attempts.has(runId)) this.#checkpoints?.store.drop(id);
      },
      onReport: (ms, items) => {
        if (items === null) metrics.failedReports.inc();
        else {
          metrics.reports.observe(ms / 1_000);
          metrics.reportItems.inc(items);
        }
      },
    });
    this.#pool = new Pool({
      executor,
      log,
      idleMs: settings.idleMs,
      spares: settings.spares,
      startsAtOnce: startsAtOnce(),
      maxRuns: MAX_RUNS_PER_RUNTIME,
      maxAgeMs: MAX_RUNTIME_AGE_MS,
      onColdStart: (ms) => metrics.coldStarts.observe(ms / 1_000),
      onWarmStart: () => metrics.warmStarts.inc(),
      onChange: () => this.#poller.poke(),
      onRestore: (ms) => {
        metrics.restores.observe(ms / 1_000);
        this.#checkpoints?.health.worked();
      },
      onRestoreFailed: (error) => this.#checkpoints?.health.failed("restore", error),
      hold: (hash) => bundles.hold(hash),
      release: (hash) => bundles.release(hash),
    });
    this.#checkpoints = this.#openCheckpoints(executor.checkpoints, folders);
    this.#deployments = new Deployments(api, bundles, executor);
    this.#attempts = new Attempts({
      saver: this.#checkpoints?.saver ?? null,
      apiUrl: executor.apiUrl,
      deployments: this.#deployments,
      pool: this.#pool,
      reporter: this.#reporter,
      telemetry: this.#telemetry,
      log,
      cancelGraceMs: settings.cancelGraceMs,
      timeoutGraceMs: settings.timeoutGraceMs,
      observer: {
        started: (run) => {
          metrics.started.inc();
          log.debug("An attempt started", idsOf(run));
          observer?.started(run);
        },
        logged: (run, entries) => observer?.logged(run, entries),
        ended: (run, end) => {
          const error = end.type === "failure" ? end.error : undefined;
          log.debug("An attempt ended", { ...idsOf(run), outcome: end.type });
          metrics.ended(end.type, error?.type === "INTERNAL_ERROR" ? error.code : "");
          this.#poller.poke();
          observer?.ended(run, end);
        },
      },
    });
    this.#poller = new Poller({
      api,
      session,
      log,
      pollMs: settings.pollMs,
      room: () => this.#room(),
      held: () => this.#attempts.size,
      about: () => ({
        version: PACKAGE.version,
        executor: executor.name,
        slots: settings.concurrency,
        running: this.#attempts.size,
        checkpoints: this.#checkpoints?.health.state === "open" ? this.#checkpoints.store.count : null,
      }),
      register: () =>
        api.register({
          hostId,
          credentialHash: createHash("sha256").update(credential).digest("hex"),
          name: hostname().slice(0, 128),
        }),
      onRevoked: (message) => {
        log.error(`${message} Its runs are stopped.`);
        this.#attempts.abandonAll();
        this.#failed.resolve(new HostError(message));
      },
      onAnswer: (answer, sessionId) => this.#answered(answer, sessionId),
      onPoll: (ms, runs) => {
        if (runs === null) metrics.failedPolls.inc();
        else if (runs === 0) metrics.emptyPolls.inc();
        else metrics.polls.observe(ms / 1_000);
      },
    });
    this.#registerGauges();
  }

  #openCheckpoints(runtimes: RuntimeCheckpoints | undefined, folders: HostFolders) {
    if (!runtimes) return null;
    const { checkpointBytes, checkpointDir, selfTest } = this.#settings;
    const log = this.#log;
    const { hostId } = this.#session;
    const store = new Checkpoints({
      folder: checkpointDir ?? folders.checkpoints,
      hostId,
      kind: runtimes.kind,
      maxBytes: checkpointBytes,
      log,
      monotonicSeconds: () => Number(process.hrtime.bigint() / 1_000_000_000n),
    });
    const health = new CheckpointHealth({
      log,
      selfTest: selfTest ? () => runtimes.selfTest() : undefined,
      onHang: (step) => this.metrics.checkpointHangs.inc({ step }),
    });
    const saver = new ProcessSaver({
      hostId,
      store,
      health,
      log,
      pool: this.#pool,
      image: () => runtimes.image,
      onSaved: (worked) => (worked ? this.metrics.checkpoints : this.metrics.failedCheckpoints).inc(),
    });
    return { store, health, saver };
  }

  get failed(): Promise<HostError> {
    return this.#failed.promise;
  }

  async start(): Promise<void> {
    this.#timers.push(
      setInterval(() => {
        this.#attempts.sweep();
        this.#fence();
      }, SWEEP_MS),
      setInterval(() => {
        this.#reporter.heartbeats(this.#attempts.leases());
        this.#askAboutCheckpoints();
      }, this.#settings.heartbeatMs),
      setInterval(() => {
        this.#factor = roomFactor(this.#pressure());
        this.#poller.poke();
      }, PRESSURE_MS),
    );
    this.#checkpoints?.health.start();
    await this.#poller.connect();
    this.#poller.poke();
    this.#askAboutCheckpoints();
  }

  async keepWarm(
    deploymentId: string,
    of: { environmentKey: string; machine?: MachinePreset },
  ): Promise<void> {
    const ready = this.#deployments.peek(deploymentId) ?? (await this.#deployments.load(deploymentId));
    if (this.#draining) return;
    const { environmentKey, machine = DEFAULT_MACHINE } = of;
    this.#pool.keepWarm({ environment: { key: environmentKey }, machine }, ready);
  }

  async stop(): Promise<void> {
    const { drainMs } = this.#settings;
    this.#draining = true;
    this.#attempts.drain("the host is stopping");
    if (this.#attempts.size > 0)
      this.#log.info(`Stopping: ${this.#attempts.size} attempts have ${drainMs} ms to end`);
    const deadline = performance.now() + drainMs;
    while (this.#attempts.size > 0 && performance.now() < deadline) await sleep(10);
    this.#attempts.releaseAll("the host stopped before the attempt ended");
    // Runs that are not saved by then are replayed elsewhere.
    await this.#checkpoints?.saver.settled(SAVES_MS);
    await Promise.all([this.#reporter.drained(FAREWELL_MS), this.#telemetry.drained(FAREWELL_MS)]);
    await this.#reporter.goodbye(FAREWELL_MS);
    await this.close();
  }

  async close(): Promise<void> {
    this.#draining = true;
    for (const timer of this.#timers) clearInterval(timer);
    this.#checkpoints?.health.stop();
    this.#poller.stop();
    this.#reporter.stop();
    this.#telemetry.stop();
    this.#attempts.abandonAll();
    // A runtime whose process is being saved ends only when the save does.
    this.#executor.checkpoints?.stop();
    await this.#pool.close();
    await this.#executor.close();
    this.#api.close();
  }

  health(): Health {
    const silentMs = Math.round(this.#session.silentMs);
    const { isHealthy } = this.#pool;
    return {
      ok: isHealthy && silentMs < this.#settings.pollMs * 2,
      executor: this.#executor.name,
      executorHealthy: isHealthy,
      warnings: this.#warnings,
      checkpoints: this.#checkpoints?.health.state ?? "off",
      checkpointsProblem: this.#checkpoints?.health.problem,
      serverSilentMs: silentMs,
      attempts: this.#attempts.size,
      draining: this.#draining,
    };
  }

  /** Returns the number of runs that can be taken now. */
  #room(): number {
    if (this.#draining || !this.#pool.isHealthy) return 0;
    if (this.#reporter.unacknowledged > MAX_UNACKNOWLEDGED || this.#reporter.bytes > MAX_UNACKNOWLEDGED_BYTES)
      return 0;
    const { size } = this.#attempts;
    let room = this.#settings.concurrency - size;
    if (Number.isFinite(this.#executor.capacity.memory)) {
      let used = NOTHING;
      for (const { machine } of this.#attempts.runs()) used = plus(used, this.#executor.cost(machine));
      for (const { cost } of this.#checkpoints?.saver.runtimes() ?? []) used = plus(used, cost);
      // The machines of the next runs are not known, so they are assumed to be like the last one.
      const each = this.#executor.cost(this.#usualMachine);
      room = Math.min(room, roomFor(each, used, this.#executor.capacity));
    }
    if (this.#factor >= 1) return Math.max(0, room);
    const allowed = Math.floor((size + room) * this.#factor) - size;
    // If nothing runs here, the load has other causes: one run is taken, unless there is no memory at all.
    const least = size === 0 && this.#factor > 0 ? 1 : 0;
    return Math.max(Math.min(room, least), Math.min(room, allowed));
  }

  #answered(answer: DequeueResponse, sessionId: string): void {
    if (sessionId !== this.#session.sessionId) return;
    if (answer.ended) {
      this.#log.warn(
        `The server ended this host's session: ${this.#attempts.size} attempts are stopped, others have them`,
      );
      this.#attempts.abandonAll();
      this.#session.renew();
      return;
    }
    for (const run of answer.runs) {
      this.#usualMachine = run.machine;
      this.#attempts.accept(run);
    }
    // Notices are handled after the runs, because they may be about these runs.
    for (const notice of answer.notices) {
      const attempt = this.#attempts.find(notice);
      if (notice.type === "cancel") attempt?.cancel();
      else attempt?.operation(notice);
    }
    // The poll was sent before the host began to stop.
    if (this.#draining && answer.runs.length > 0) this.#attempts.drain("the host is stopping");
  }

  /**
   * Runs end or resume elsewhere without this host, so it asks whether their saved processes are still needed. It skips runs that it
   * holds a lease of, because their checkpoint may be in use.
   */
  #askAboutCheckpoints(): void {
    const kept = this.#checkpoints?.store.someOfOwn(CHECKPOINTS_AT_ONCE) ?? [];
    this.#reporter.checkpoints(kept.filter(({ runId }) => !this.#attempts.has(runId)));
  }

  /**
   * The server is about to lease this host's runs to others, because it has had no contact: they would run
   * twice.
   */
  #fence(): void {
    if (this.#attempts.size === 0 || this.#session.silentMs < this.#settings.fenceMs) return;
    this.#log.warn(
      `No contact with the server for ${Math.round(this.#session.silentMs)} ms: ${this.#attempts.size} attempts are stopped`,
    );
    // If the server was down itself, they are still leased to this host, which gives them back when the server answers.
    this.#attempts.releaseAll("the host lost contact with the server");
  }

  #registerGauges(): void {
    const { metrics } = this;
    const { capacity, name } = this.#executor;
    metrics.gauge("slots", "Runs that can run at once.", () => this.#settings.concurrency);
    metrics.gauge("running", "Attempts that the host holds.", () => this.#attempts.size);
    metrics.gauge("room", "Runs that the host would take now.", () => this.#room());
    metrics.gauge("runtimes", "Processes or containers.", () => this.#pool.counts.runtimes);
    metrics.gauge("runtimes_idle", "Runtimes that are warm and idle.", () => this.#pool.counts.idle);
    metrics.gauge("runtimes_starting", "Those that start.", () => this.#pool.counts.starting);
    metrics.gauge("waiting", "Runs that wait for a runtime.", () => this.#pool.counts.waiting);
    metrics.gauge("reports_waiting", "Outcomes not yet sent.", () => this.#reporter.unacknowledged);
    metrics.gauge(
      "report_bytes_waiting",
      "Bytes of reports not yet acknowledged.",
      () => this.#reporter.bytes,
    );
    metrics.gauge(
      "telemetry_bytes_waiting",
      "Bytes of logs, spans and metrics not yet sent.",
      () => this.#telemetry.size,
    );
    metrics.gauge(
      "server_silent_seconds",
      "Time since the server's last answer.",
      () => this.#session.silentMs / 1_000,
    );
    metrics.gauge(
      "pressure_factor",
      "Share of the usual capacity that the host offers under pressure.",
      () => this.#factor,
    );
    metrics.gauge("checkpoints", "Saved processes on disk.", () => this.#checkpoints?.store.count ?? 0);
    metrics.gauge(
      "checkpoint_bytes",
      "Disk space of saved processes.",
      () => this.#checkpoints?.store.bytes ?? 0,
    );
    metrics.gauge("checkpoints_open", "1 while processes are saved and restored.", () =>
      this.#checkpoints?.health.state === "open" ? 1 : 0,
    );
    metrics.gauge("saving", "Processes that are being saved.", () => this.#checkpoints?.saver.size ?? 0);
    metrics.gauge("docker", "1 if runs execute in containers.", () => (name === "docker" ? 1 : 0));
    if (Number.isFinite(capacity.memory)) {
      metrics.gauge("capacity_memory_bytes", "Memory for runs.", () => capacity.memory);
      metrics.gauge("capacity_cpu", "Cores promised to runs.", () => capacity.cpu);
    }
  }
}

const idsOf = ({ runId, environment, attempt }: DequeuedRun) => ({
  run: runId,
  environment: environment.key,
  attempt,
});
