/**
 * Every keyboard shortcut: the palette, tooltips, the help sheet and the listener read this list. `keys` is one chord
 * (`mod+k`, `shift+j`, `Escape`) or a sequence of two (`g r`); `mod` is ⌘ on Apple's machines and Ctrl elsewhere.
 */
export type Scope = "everywhere" | "list" | "run" | "trace" | "logs" | "form" | "inbox";

export interface Shortcut {
  id: string;
  keys: readonly string[];
  scope: Scope;
  label: string;
}

const shortcut = (id: string, scope: Scope, label: string, ...keys: string[]): Shortcut => ({
  id,
  keys,
  scope,
  label,
});

export const SHORTCUTS = [
  shortcut("palette", "everywhere", "Search or run a command", "mod+k"),
  shortcut("help", "everywhere", "Show all shortcuts", "?"),
  shortcut("filter.focus", "everywhere", "Focus the filter", "/"),
  shortcut("environments", "everywhere", "Switch environment", "mod+e"),
  shortcut("sidebar", "everywhere", "Collapse or expand the sidebar", "mod+b"),
  shortcut("theme", "everywhere", "Switch between light and dark", "mod+."),
  shortcut("go.tasks", "everywhere", "Go to tasks", "g t"),
  shortcut("go.runs", "everywhere", "Go to runs", "g r"),
  shortcut("go.errors", "everywhere", "Go to errors", "g e"),
  shortcut("go.logs", "everywhere", "Go to logs", "g l"),
  shortcut("go.metrics", "everywhere", "Go to metrics", "g m"),
  shortcut("go.inbox", "everywhere", "Go to the inbox", "g i"),
  shortcut("go.queues", "everywhere", "Go to queues", "g q"),
  shortcut("go.schedules", "everywhere", "Go to schedules", "g s"),
  shortcut("go.batches", "everywhere", "Go to batches", "g b"),
  shortcut("go.deployments", "everywhere", "Go to deployments", "g d"),
  shortcut("go.hosts", "everywhere", "Go to hosts", "g h"),
  shortcut("go.keys", "everywhere", "Go to API keys", "g k"),
  shortcut("go.variables", "everywhere", "Go to variables", "g v"),
  shortcut("go.query", "everywhere", "Go to query", "g y"),
  shortcut("go.alerts", "everywhere", "Go to alerts", "g n"),
  shortcut("go.usage", "everywhere", "Go to usage and limits", "g u"),
  shortcut("go.bulk", "everywhere", "Go to bulk actions", "g a"),
  shortcut("go.test", "everywhere", "Go to test", "g x"),
  shortcut("list.next", "list", "Next row", "j", "ArrowDown"),
  shortcut("list.previous", "list", "Previous row", "k", "ArrowUp"),
  shortcut("list.open", "list", "Open the row", "Enter"),
  shortcut("list.first", "list", "First row", "Home"),
  shortcut("list.last", "list", "Last loaded row", "End"),
  shortcut("list.select", "list", "Select the row", "x"),
  shortcut("list.extendNext", "list", "Extend the selection down", "shift+j", "shift+ArrowDown"),
  shortcut("list.extendPrevious", "list", "Extend the selection up", "shift+k", "shift+ArrowUp"),
  shortcut("list.selectAll", "list", "Select all loaded rows", "mod+a"),
  shortcut("list.clear", "list", "Clear the selection", "Escape"),
  shortcut("list.filter", "list", "Add a filter", "f"),
  shortcut("list.clearFilters", "list", "Clear all filters", "shift+f"),
  shortcut("list.new", "list", "New", "n"),
  shortcut("list.menu", "list", "Filter by a value of the row", "."),
  shortcut("list.columns", "list", "Choose columns", "shift+c"),
  shortcut("list.views", "list", "Saved views", "v"),
  shortcut("list.replay", "list", "Replay the selection", "r"),
  shortcut("list.cancel", "list", "Cancel the selection", "c"),
  shortcut("list.copy", "list", "Copy the id", "y"),
  shortcut("run.replay", "run", "Replay the run", "r"),
  shortcut("run.cancel", "run", "Cancel the run", "c"),
  shortcut("run.copy", "run", "Copy the run's id", "y"),
  shortcut("run.next", "run", "Next run of the list", "]"),
  shortcut("run.previous", "run", "Previous run of the list", "["),
  shortcut("run.root", "run", "Open the root run", "t"),
  shortcut("run.parent", "run", "Open the parent run", "p"),
  shortcut("trace.next", "trace", "Next span", "j", "ArrowDown"),
  shortcut("trace.previous", "trace", "Previous span", "k", "ArrowUp"),
  shortcut("trace.expand", "trace", "Expand", "ArrowRight"),
  shortcut("trace.collapse", "trace", "Collapse, or go to the parent", "ArrowLeft"),
  shortcut("trace.error", "trace", "Next error", "e"),
  shortcut("trace.waits", "trace", "Cut waits out of the time axis", "w"),
  shortcut("trace.zoomIn", "trace", "Zoom in", "+", "="),
  shortcut("trace.zoomOut", "trace", "Zoom out", "-"),
  shortcut("trace.fit", "trace", "Zoom to the span, or show all", "z"),
  shortcut("trace.panLeft", "trace", "Move to earlier", "shift+ArrowLeft"),
  shortcut("trace.panRight", "trace", "Move to later", "shift+ArrowRight"),
  shortcut("trace.close", "trace", "Close the inspector", "Escape"),
  shortcut("logs.follow", "logs", "Follow the newest line", "l"),
  shortcut("logs.level1", "logs", "Show all levels", "1"),
  shortcut("logs.level2", "logs", "Show info and above", "2"),
  shortcut("logs.level3", "logs", "Show warnings and errors", "3"),
  shortcut("logs.level4", "logs", "Show errors only", "4"),
  shortcut("schedule.run", "list", "Run the schedule's task now", "shift+r"),
  shortcut("error.resolve", "list", "Resolve the error, or open it again", "e"),
  shortcut("error.ignore", "list", "Ignore the error", "i"),
  shortcut("error.replay", "list", "Replay all runs that failed with the error", "shift+e"),
  shortcut("bulk.stop", "list", "Stop the bulk action", "s"),
  shortcut("inbox.approve", "inbox", "Approve", "a"),
  shortcut("inbox.reject", "inbox", "Reject", "d"),
  shortcut("form.submit", "form", "Submit", "mod+Enter"),
] as const satisfies readonly Shortcut[];

export type ShortcutId = (typeof SHORTCUTS)[number]["id"];

export const SCOPE_NAMES: Readonly<Record<Scope, string>> = {
  everywhere: "Everywhere",
  list: "Lists",
  run: "Run",
  trace: "Trace",
  logs: "Logs",
  inbox: "Inbox",
  form: "Forms",
};

/** Scopes that are active at the same time: no two of their shortcuts may have the same keys. */
export const TOGETHER: readonly (readonly Scope[])[] = [
  ["everywhere", "list", "form"],
  ["everywhere", "list", "inbox", "form"],
  ["everywhere", "run", "trace", "logs", "form"],
];

/** Pairs of shortcuts that would both answer to the same keys. */
export function collisions(list: readonly Shortcut[] = SHORTCUTS): string[] {
  const found = new Set<string>();
  for (const scopes of TOGETHER) {
    const owner = new Map<string, string>();
    for (const { id, keys, scope } of list) {
      if (!scopes.includes(scope)) continue;
      for (const chord of keys) {
        // A chord that begins another's sequence would swallow it.
        for (const [other, otherId] of owner) {
          const same = other === chord || other.startsWith(`${chord} `) || chord.startsWith(`${other} `);
          if (same && otherId !== id) found.add([otherId, id].sort().join(" / "));
        }
        owner.set(chord, id);
      }
    }
  }
  return [...found];
}
