import {
  type DequeuedRun,
  INTERNAL_ERRORS,
  type JournalEntry,
  parseRunId,
  type RunIdParts,
} from "@acme/sdk/contract";
import { sendBatch } from "./batches.ts";
import type { Scene } from "./scene.ts";
import { createToken } from "./tokens.ts";
import { World } from "./world.ts";

/** How an attempt ends. There is one platform error for each final status that such errors lead to. */
export type End =
  | "success"
  | "failure"
  | "final-failure"
  | "released"
  | "TASK_PROCESS_CRASHED"
  | "TASK_PROCESS_OOM_KILLED"
  | "MAX_DURATION_EXCEEDED"
  | "COULD_NOT_IMPORT_TASK"
  | "TASK_EXECUTOR_FAILED";

/** What an attempt of a simulated task does. */
export interface Behaviour {
  durationMs: number;
  end: End;
  /** Delay of the next attempt, if the task's code decides it. */
  retryMs: number;
  /** Its durable operations, one after the other. */
  operations: Operation[];
}

export type Operation =
  | { kind: "step" }
  | { kind: "wait"; ms: number }
  /** Waits for children side by side. */
  | { kind: "run"; count: number }
  | { kind: "trigger" }
  | { kind: "token" }
  | { kind: "batch"; size: number };

/** How many numbers an operation takes. */
export const widthOf = (operation: Operation): number => (operation.kind === "run" ? operation.count : 1);

/** The code of the simulated tasks, and what their operations create elsewhere, as the Worker does for a run. */
export class TaskCode {
  readonly #scene: Scene;

  constructor(scene: Scene) {
    this.#scene = scene;
  }

  behaviour(run: DequeuedRun): Behaviour {
    const { world, scenario } = this.#scene;
    if (scenario.kind === "backlog")
      return { durationMs: world.between(100, 1_500), end: "success", operations: [], retryMs: 200 };
    const durationMs = world.chance(0.02) ? world.between(30_000, 400_000) : world.between(0, 2_000);
    const draw = world.random();
    const end = endOf(draw);
    const retryMs = world.pick([200, 60_000]);
    // An attempt whose process never starts, or fails right away, has no start to report.
    const isBroken = end === "TASK_EXECUTOR_FAILED" || (end in INTERNAL_ERRORS && world.chance(0.5));
    return isBroken
      ? { durationMs: 0, end, operations: [], retryMs }
      : { durationMs, end, operations: operationsOf(run), retryMs };
  }

  /** Creates or finds the target of an operation, and returns its journal entries. Null: the attempt has ended. */
  async begin(run: DequeuedRun, number: number, operation: Operation): Promise<JournalEntry[] | null> {
    const startedAt = Date.now();
    switch (operation.kind) {
      case "step":
        return [];
      case "wait":
        return [{ number, kind: "wait", name: "wait", startedAt, until: startedAt + operation.ms }];
      case "token": {
        const target = this.#tokenOf(run, number);
        await createToken(this.#scene, target, run.environment.key);
        this.#scene.invariants.operations.target(run, number, target);
        return [{ number, kind: "token", name: "token", startedAt, target }];
      }
      case "run":
        return (await this.#child(run, number, "run")) ? [] : null;
      case "trigger": {
        const child = await this.#child(run, number, "trigger");
        if (!child) return null;
        const result = { ok: true, output: child } as const;
        return [{ number, kind: "trigger", name: "child", startedAt, target: child, result }];
      }
      case "batch":
        return (await this.#batch(run, number, operation.size)) ? [] : null;
    }
  }

  /** Creates a child. The parent's journal has its id before it is created. */
  async #child(run: DequeuedRun, number: number, kind: "run" | "trigger"): Promise<string | null> {
    const scene = this.#scene;
    const ref = scene.world.pick(scene.queuesOf(run.environment.key));
    const item = scene.item(ref, { depth: run.parentRunId ? 2 : 1, parentRunId: run.runId });
    const target = await this.#claim(run, number, { kind, name: item.task, target: item.runId });
    if (!target) return null;
    const operation = { runId: run.runId, attempt: run.attempt, number };
    const waiter = kind === "run" ? ({ type: "operation", ...operation } as const) : undefined;
    await scene.trigger({ ...item, runId: target, waiter });
    scene.invariants.outcomes.acknowledged(target);
    return target;
  }

  async #batch(run: DequeuedRun, number: number, size: number): Promise<string | null> {
    const scene = this.#scene;
    const id = `batch_${run.environment.key}${timeOf(run)}${scene.unique()}`;
    const target = await this.#claim(run, number, { kind: "batch", name: "batch", target: id });
    if (!target) return null;
    const waiter = { runId: run.runId, attempt: run.attempt, number };
    const environmentKey = run.environment.key;
    await sendBatch(scene, { id: target, environmentKey, size, sent: size, parentRunId: run.runId, waiter });
    return target;
  }

  async #claim(
    run: DequeuedRun,
    number: number,
    claim: { kind: "run" | "trigger" | "batch"; name: string; target: string },
  ): Promise<string | null> {
    const { queueKey, environmentKey } = parseRunId(run.runId) as RunIdParts;
    const operation = { runId: run.runId, attempt: run.attempt, number, ...claim };
    const owner = this.#scene.queue(queueKey);
    const answer = await this.#scene.persist(() => owner.claimOperation(environmentKey, operation));
    // The attempt has ended: its host learns this from the answer to its next report.
    if ("error" in answer) return null;
    this.#scene.invariants.operations.target(run, number, answer.target);
    return answer.target;
  }

  #tokenOf(run: DequeuedRun, number: number): string {
    const seed = Number.parseInt(run.runId.slice(-6), 36) + run.attempt * 1_000 + number;
    const unique = Math.floor(new World(seed).random() * 36 ** 8).toString(36);
    return `waitpoint_${run.environment.key}${timeOf(run)}${unique.padStart(8, "0")}`;
  }
}

function endOf(draw: number): End {
  if (draw < 0.17) return "failure";
  if (draw < 0.2) return "final-failure";
  if (draw < 0.23) return "released";
  if (draw < 0.25) return "TASK_PROCESS_CRASHED";
  if (draw < 0.26) return "TASK_PROCESS_OOM_KILLED";
  if (draw < 0.275) return "MAX_DURATION_EXCEEDED";
  if (draw < 0.285) return "COULD_NOT_IMPORT_TASK";
  return draw < 0.3 ? "TASK_EXECUTOR_FAILED" : "success";
}

const timeOf = (run: DequeuedRun): string => run.createdAt.toString(36).padStart(9, "0");

/** A run's id determines what its code does, so each of its attempts and replays does the same. */
function operationsOf(run: DequeuedRun): Operation[] {
  const draw = new World(Number.parseInt(run.runId.slice(-6), 36));
  if (!draw.chance(0.4)) return [];
  return Array.from({ length: draw.between(1, 4) }, (): Operation => {
    const kind = draw.between(0, 10);
    if (kind < 3) return { kind: "step" };
    if (kind < 6) return { kind: "wait", ms: draw.between(0, 60_000) };
    if (kind < 8) return { kind: "token" };
    // Children have only steps.
    if (run.parentRunId) return { kind: "step" };
    if (kind < 9) return { kind: "run", count: draw.between(1, 3) };
    return kind < 10 ? { kind: "trigger" } : { kind: "batch", size: draw.between(1, 12) };
  });
}
