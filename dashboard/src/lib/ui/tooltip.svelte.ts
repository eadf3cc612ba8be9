import type { Attachment } from "svelte/attachments";
import type { ShortcutId } from "../keys/registry.ts";

export interface Tip {
  text: string;
  shortcut?: ShortcutId;
  anchor: DOMRect;
}

const DELAY_MS = 350;

/** The only visible tooltip; `Tooltip.svelte` draws it. */
export const shown: { tip: Tip | null } = $state({ tip: null });
let timer: ReturnType<typeof setTimeout> | undefined;
let hiddenAt = 0;

function hide(): void {
  clearTimeout(timer);
  if (!shown.tip) return;
  hiddenAt = Date.now();
  // An element that is removed while it has the focus says so in the middle of the page's update, when no state may change.
  queueMicrotask(() => {
    shown.tip = null;
  });
}

/** A tooltip on hover and on keyboard focus, with the shortcut's keys where there is one. */
export function tooltip(text: string, shortcut?: ShortcutId): Attachment<HTMLElement> {
  return (element) => {
    const show = (delay: number) => {
      clearTimeout(timer);
      // A tooltip next to one that was just shown appears at once.
      const wait = Date.now() - hiddenAt < 300 ? 0 : delay;
      timer = setTimeout(() => {
        if (element.isConnected) shown.tip = { text, shortcut, anchor: element.getBoundingClientRect() };
      }, wait);
    };
    const onEnter = (event: PointerEvent) => event.pointerType === "mouse" && show(DELAY_MS);
    const onFocus = () => element.matches(":focus-visible") && show(DELAY_MS);
    element.addEventListener("pointerenter", onEnter);
    element.addEventListener("focus", onFocus);
    for (const name of ["pointerleave", "pointerdown", "blur"]) element.addEventListener(name, hide);
    return () => {
      element.removeEventListener("pointerenter", onEnter);
      element.removeEventListener("focus", onFocus);
      for (const name of ["pointerleave", "pointerdown", "blur"]) element.removeEventListener(name, hide);
      hide();
    };
  };
}
