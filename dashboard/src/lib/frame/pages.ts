import List from "@lucide/svelte/icons/list";
import type { ShortcutId } from "../keys/registry.ts";

export interface Page {
  /** Below the environment's path. */
  path: string;
  label: string;
  icon: typeof List;
  shortcut?: ShortcutId;
}

/** The pages there are, as the sidebar and the palette list them. */
export const PAGES: readonly { group: string; pages: readonly Page[] }[] = [
  {
    group: "Observe",
    pages: [{ path: "runs", label: "Runs", icon: List, shortcut: "go.runs" }],
  },
];

export const ALL_PAGES: readonly Page[] = PAGES.flatMap(({ pages }) => pages);
