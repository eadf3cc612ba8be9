import { onMount } from "svelte";
import { preferences } from "../prefs/preferences.svelte.ts";
import { chordOf, needsModifier } from "./chords.ts";
import { SHORTCUTS, type Shortcut, type ShortcutId } from "./registry.ts";

export const isApple = /Mac|iPhone|iPad/.test(navigator.platform);

const SEQUENCE_MS = 1_200;

interface Handler {
  run(event: KeyboardEvent): void;
  enabled(): boolean;
}

/** The mounted handlers; the last mounted one is called. */
const handlers = new Map<ShortcutId, Handler[]>();
let mounted = $state(0);
let pending = "";
let pendingTimer: ReturnType<typeof setTimeout> | undefined;

const byId = new Map<string, Shortcut>(SHORTCUTS.map((shortcut) => [shortcut.id, shortcut]));

export const shortcutOf = (id: ShortcutId): Shortcut => byId.get(id)!;

/** Handles a shortcut for as long as the calling component is mounted. */
export function onShortcut(
  id: ShortcutId,
  run: (event: KeyboardEvent) => void,
  enabled: () => boolean = () => true,
): void {
  onMount(() => {
    const handler = { run, enabled };
    handlers.set(id, [...(handlers.get(id) ?? []), handler]);
    mounted += 1;
    return () => {
      handlers.set(
        id,
        (handlers.get(id) ?? []).filter((other) => other !== handler),
      );
      mounted += 1;
    };
  });
}

function handlerOf(id: ShortcutId): Handler | undefined {
  return handlers.get(id)?.findLast((handler) => handler.enabled());
}

/** The shortcuts that currently have a handler on this page. */
export function activeShortcuts(): Shortcut[] {
  void mounted;
  return SHORTCUTS.filter((shortcut) => handlerOf(shortcut.id) !== undefined);
}

/** Runs a shortcut's action, as its keys would. */
export function runShortcut(id: ShortcutId): void {
  handlerOf(id)?.run(new KeyboardEvent("keydown"));
}

const FIELDS = "input:not([type=checkbox]):not([type=radio]), textarea, select, [contenteditable], .cm-host";

/** The focused field, menu or dialog gets the keys first. */
function isTyping(target: EventTarget | null): boolean {
  return (
    target instanceof Element &&
    target.closest(`${FIELDS}, [role=menu], [role=dialog], [role=listbox]`) !== null
  );
}

export function listen(): () => void {
  const onKeydown = (event: KeyboardEvent) => {
    if (event.defaultPrevented || event.isComposing) return;
    const chord = chordOf(event, isApple);
    if (chord === null) return;
    const typing = isTyping(event.target);
    const modified = needsModifier(chord);
    if (!modified && (typing || (chord.length === 1 && !preferences.singleKeys))) return;
    const wanted = pending ? `${pending} ${chord}` : chord;
    clearTimeout(pendingTimer);
    pending = "";
    // Enter on a button or link activates it; Space is never a shortcut.
    if (chord === "Enter" && event.target instanceof Element && event.target.closest("button, a, summary"))
      return;
    for (const shortcut of SHORTCUTS) {
      if (!(shortcut.keys as readonly string[]).includes(wanted)) continue;
      const handler = handlerOf(shortcut.id);
      if (!handler) continue;
      event.preventDefault();
      handler.run(event);
      return;
    }
    if (wanted === chord && SHORTCUTS.some(({ keys }) => keys.some((k) => k.startsWith(`${chord} `)))) {
      pending = chord;
      pendingTimer = setTimeout(() => {
        pending = "";
      }, SEQUENCE_MS);
      event.preventDefault();
    }
  };
  addEventListener("keydown", onKeydown);
  return () => removeEventListener("keydown", onKeydown);
}
