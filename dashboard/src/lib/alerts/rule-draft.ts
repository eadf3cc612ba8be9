import type { AlertRule, NewAlertRule } from "../api/alerts-api.ts";
import { formatCount } from "../format/number.ts";

type Condition = AlertRule["condition"];

/** The kinds of rules, which the form asks for first. */
export const KINDS = [
  ["each", "Each run that fails"],
  ["many", "Many runs that fail"],
  ["share", "A share of runs that fail"],
  ["error", "An error that is new, or comes back"],
  ["deployment", "A deployment that fails"],
  ["queue", "A queue that is long, or slow"],
] as const;
export type Kind = (typeof KINDS)[number][0];

/** The contents of a rule's form. */
export interface RuleDraft {
  name: string;
  kind: Kind;
  /** Names of tasks or queues, with commas between them; empty: all. */
  names: string;
  failures: number;
  percent: number;
  windowMinutes: number;
  minimumRuns: number;
  depth: number | null;
  delaySeconds: number | null;
  channels: string[];
  intervalMinutes: number;
  enabled: boolean;
}

export const EMPTY_DRAFT: RuleDraft = {
  name: "",
  kind: "error",
  names: "",
  failures: 10,
  percent: 10,
  windowMinutes: 15,
  minimumRuns: 10,
  depth: 1_000,
  delaySeconds: null,
  channels: [],
  intervalMinutes: 60,
  enabled: true,
};

const listed = (names: string): string[] | undefined => {
  const all = names
    .split(",")
    .map((name) => name.trim())
    .filter((name) => name !== "");
  return all.length > 0 ? all : undefined;
};

function conditionOf(draft: RuleDraft): NewAlertRule["condition"] {
  const names = listed(draft.names);
  const { windowMinutes, failures, percent, minimumRuns } = draft;
  switch (draft.kind) {
    case "each":
      return { type: "run_failed", tasks: names };
    case "many":
      return { type: "run_failed", tasks: names, threshold: { failures, windowMinutes } };
    case "share":
      return { type: "run_failed", tasks: names, threshold: { percent, windowMinutes, minimumRuns } };
    case "error":
      return { type: "error", tasks: names };
    case "deployment":
      return { type: "deployment_failed" };
    case "queue":
      return {
        type: "queue",
        queues: names,
        depth: draft.depth ?? undefined,
        delaySeconds: draft.delaySeconds ?? undefined,
      };
  }
}

export const ruleOf = (draft: RuleDraft): NewAlertRule => ({
  name: draft.name.trim(),
  condition: conditionOf(draft),
  channels: draft.channels,
  enabled: draft.enabled,
  intervalMinutes: draft.intervalMinutes,
});

export function draftOf({ name, condition, channels, enabled, intervalMinutes }: AlertRule): RuleDraft {
  const base = { ...EMPTY_DRAFT, name, channels: [...channels], enabled, intervalMinutes };
  switch (condition.type) {
    case "run_failed": {
      const names = condition.tasks?.join(", ") ?? "";
      const { threshold } = condition;
      if (!threshold) return { ...base, kind: "each", names };
      return { ...base, kind: "failures" in threshold ? "many" : "share", names, ...threshold };
    }
    case "error":
      return { ...base, kind: "error", names: condition.tasks?.join(", ") ?? "" };
    case "deployment_failed":
      return { ...base, kind: "deployment" };
    case "queue":
      return {
        ...base,
        kind: "queue",
        names: condition.queues?.join(", ") ?? "",
        depth: condition.depth ?? null,
        delaySeconds: condition.delaySeconds ?? null,
      };
  }
}

/** A condition as a sentence. */
export function conditionText(condition: Condition): string {
  const of = (names: readonly string[] | undefined, what: string) =>
    names
      ? ` of ${names.slice(0, 3).join(", ")}${names.length > 3 ? ` and ${names.length - 3} more` : ""}`
      : ` of any ${what}`;
  switch (condition.type) {
    case "run_failed": {
      const task = of(condition.tasks, "task");
      const { threshold } = condition;
      if (!threshold) return `A run${task} fails`;
      return "failures" in threshold
        ? `${formatCount(threshold.failures)} runs${task} fail within ${threshold.windowMinutes} min`
        : `${threshold.percent} % of the runs${task} fail within ${threshold.windowMinutes} min`;
    }
    case "error": {
      const on =
        condition.on.length === 2
          ? "is new or comes back"
          : condition.on[0] === "new"
            ? "is new"
            : "comes back";
      return `An error${of(condition.tasks, "task")} ${on}`;
    }
    case "deployment_failed":
      return "A deployment fails";
    case "queue": {
      const parts = [
        condition.depth === undefined ? "" : `more than ${formatCount(condition.depth)} runs wait`,
        condition.delaySeconds === undefined
          ? ""
          : `runs wait longer than ${formatCount(condition.delaySeconds)} s`,
      ].filter(Boolean);
      return `In a queue${condition.queues ? ` (${condition.queues.slice(0, 3).join(", ")})` : ""}, ${parts.join(", or ")}`;
    }
  }
}
