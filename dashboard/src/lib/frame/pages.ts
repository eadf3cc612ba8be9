import type { OperationOfRole } from "@acme/sdk/contract/roles";
import Bell from "@lucide/svelte/icons/bell";
import Boxes from "@lucide/svelte/icons/boxes";
import Braces from "@lucide/svelte/icons/braces";
import CalendarClock from "@lucide/svelte/icons/calendar-clock";
import ChartLine from "@lucide/svelte/icons/chart-line";
import CircleAlert from "@lucide/svelte/icons/circle-alert";
import Database from "@lucide/svelte/icons/database";
import FlaskConical from "@lucide/svelte/icons/flask-conical";
import Gauge from "@lucide/svelte/icons/gauge";
import Inbox from "@lucide/svelte/icons/inbox";
import KeyRound from "@lucide/svelte/icons/key-round";
import Layers from "@lucide/svelte/icons/layers";
import List from "@lucide/svelte/icons/list";
import ListChecks from "@lucide/svelte/icons/list-checks";
import Package from "@lucide/svelte/icons/package";
import Rocket from "@lucide/svelte/icons/rocket";
import ScrollText from "@lucide/svelte/icons/scroll-text";
import Server from "@lucide/svelte/icons/server";
import Settings from "@lucide/svelte/icons/settings-2";
import TextSearch from "@lucide/svelte/icons/text-search";
import Users from "@lucide/svelte/icons/users";
import type { ShortcutId } from "../keys/registry.ts";

export interface Page {
  /** Below the environment's path. */
  path: string;
  label: string;
  icon: typeof List;
  shortcut?: ShortcutId;
  /** What it is for, or begins with: who may not do it does not see the page. */
  operation?: OperationOfRole;
}

/** All pages, as listed in the sidebar and the palette. */
export const PAGES: readonly { group: string; pages: readonly Page[] }[] = [
  {
    group: "Observe",
    pages: [
      { path: "tasks", label: "Tasks", icon: Boxes, shortcut: "go.tasks" },
      { path: "runs", label: "Runs", icon: List, shortcut: "go.runs" },
      { path: "errors", label: "Errors", icon: CircleAlert, shortcut: "go.errors" },
      { path: "logs", label: "Logs", icon: TextSearch, shortcut: "go.logs" },
      { path: "metrics", label: "Metrics", icon: ChartLine, shortcut: "go.metrics" },
      { path: "query", label: "Query", icon: Database, shortcut: "go.query" },
      { path: "alerts", label: "Alerts", icon: Bell, shortcut: "go.alerts" },
    ],
  },
  {
    group: "Operate",
    pages: [
      { path: "inbox", label: "Inbox", icon: Inbox, shortcut: "go.inbox" },
      { path: "queues", label: "Queues", icon: Layers, shortcut: "go.queues" },
      { path: "limits", label: "Limits", icon: Gauge },
      { path: "schedules", label: "Schedules", icon: CalendarClock, shortcut: "go.schedules" },
      { path: "batches", label: "Batches", icon: Package, shortcut: "go.batches" },
      { path: "bulk-actions", label: "Bulk actions", icon: ListChecks, shortcut: "go.bulk" },
      { path: "deployments", label: "Deployments", icon: Rocket, shortcut: "go.deployments" },
      { path: "hosts", label: "Hosts", icon: Server, shortcut: "go.hosts" },
    ],
  },
  {
    group: "Develop",
    pages: [
      { path: "test", label: "Test", icon: FlaskConical, shortcut: "go.test", operation: "triggerTask" },
      {
        path: "variables",
        label: "Variables",
        icon: Braces,
        shortcut: "go.variables",
        operation: "listVariables",
      },
      { path: "keys", label: "Keys", icon: KeyRound, shortcut: "go.keys" },
    ],
  },
  {
    group: "Organization",
    pages: [
      { path: "members", label: "Members", icon: Users },
      { path: "usage", label: "Usage and limits", icon: Gauge, shortcut: "go.usage" },
      { path: "audit", label: "Audit log", icon: ScrollText, operation: "listAuditLog" },
      { path: "settings", label: "Settings", icon: Settings },
    ],
  },
];

export const ALL_PAGES: readonly Page[] = PAGES.flatMap(({ pages }) => pages);
