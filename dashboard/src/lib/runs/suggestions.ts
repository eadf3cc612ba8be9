import type { PublicRunStatus } from "@acme/sdk/contract";
import type { RunFilters } from "./filters.ts";
import { STATUS, STATUSES } from "./status.ts";

export interface Suggestion {
  name: string;
  value: string;
  label: string;
  filters: RunFilters;
}

export interface Known {
  tasks: readonly string[];
  versions: readonly string[];
  queues: readonly string[];
}

const PERIODS = [
  ["15m", "last 15 minutes"],
  ["1h", "last hour"],
  ["24h", "last 24 hours"],
  ["7d", "last 7 days"],
  ["30d", "last 30 days"],
] as const;

const LIMIT = 30;

const adding = <K extends "statuses" | "tasks" | "tags" | "queues" | "versions">(
  filters: RunFilters,
  field: K,
  value: RunFilters[K][number],
): RunFilters => ({ ...filters, [field]: [...new Set([...filters[field], value])] });

/**
 * Filters to add for what was typed: `status:`, `task:`, `tag:`, `queue:`, `version:` and `created:` narrow it to one
 * kind. A tag is suggested for any text, as nobody knows them all.
 */
export function suggestionsOf(text: string, filters: RunFilters, known: Known): Suggestion[] {
  const match = /^(status|task|tag|queue|version|created|test):\s*(.*)$/i.exec(text.trim());
  const only = match?.[1]?.toLowerCase();
  const needle = (match ? (match[2] ?? "") : text).trim();
  const lower = needle.toLowerCase();
  const hits = (value: string) => value.toLowerCase().includes(lower);
  const all: Suggestion[] = [];
  const add = (kind: string, name: string, value: string, label: string, next: RunFilters) => {
    if (only === undefined || only === kind) all.push({ name, value, label, filters: next });
  };
  for (const status of STATUSES) {
    const { label } = STATUS[status as PublicRunStatus];
    if ((hits(label) || hits(status)) && !filters.statuses.includes(status))
      add("status", "Status", status, label, adding(filters, "statuses", status));
  }
  // The API's lists are split at commas.
  const plain = (value: string) => hits(value) && !value.includes(",");
  for (const task of known.tasks.filter(plain).filter((value) => !filters.tasks.includes(value)))
    add("task", "Task", task, task, adding(filters, "tasks", task));
  for (const queue of known.queues.filter(plain).filter((value) => !filters.queues.includes(value)))
    add("queue", "Queue", queue, queue, adding(filters, "queues", queue));
  for (const version of known.versions.filter(plain).filter((value) => !filters.versions.includes(value)))
    add("version", "Version", version, version, adding(filters, "versions", version));
  if (needle !== "" && !needle.includes(",")) {
    add("tag", "Tag", needle, needle, adding(filters, "tags", needle));
    if (!known.tasks.includes(needle)) add("task", "Task", needle, needle, adding(filters, "tasks", needle));
  }
  for (const [period, label] of PERIODS)
    if (hits(label)) add("created", "Created", period, label, { ...filters, period });
  if (hits("test runs")) add("test", "Test", "true", "test runs only", { ...filters, test: true });
  if (hits("no test runs")) add("test", "Test", "false", "no test runs", { ...filters, test: false });
  return all.slice(0, LIMIT);
}
