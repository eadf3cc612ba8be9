import { expect, it } from "vitest";
import { chordOf, printed } from "../src/lib/keys/chords.ts";
import { collisions, SHORTCUTS, type Shortcut } from "../src/lib/keys/registry.ts";

const press = (
  key: string,
  modifiers: Partial<Record<"ctrlKey" | "metaKey" | "altKey" | "shiftKey", boolean>> = {},
) => ({
  key,
  ctrlKey: false,
  metaKey: false,
  altKey: false,
  shiftKey: false,
  ...modifiers,
});

it("has no two shortcuts with the same keys where both are active", () => {
  expect(collisions()).toEqual([]);
});

it("finds a collision, also of a key that begins another's sequence", () => {
  const own = (id: string, keys: string): Shortcut => ({ id, keys: [keys], scope: "list", label: id });
  expect(collisions([own("a", "x"), own("b", "x")])).toEqual(["a / b"]);
  expect(collisions([own("a", "g"), own("b", "g r")])).toEqual(["a / b"]);
  expect(collisions([own("a", "x"), { ...own("b", "x"), scope: "run" }])).toEqual([]);
});

it("has each id once", () => {
  expect(new Set(SHORTCUTS.map(({ id }) => id)).size).toBe(SHORTCUTS.length);
});

it("names key presses as the registry does", () => {
  expect(chordOf(press("k", { ctrlKey: true }), false)).toBe("mod+k");
  expect(chordOf(press("k", { metaKey: true }), true)).toBe("mod+k");
  expect(chordOf(press("k", { ctrlKey: true }), true)).toBeNull();
  expect(chordOf(press("J", { shiftKey: true }), false)).toBe("shift+j");
  expect(chordOf(press("?", { shiftKey: true }), false)).toBe("?");
  expect(chordOf(press("Shift", { shiftKey: true }), false)).toBeNull();
  expect(chordOf(press("ArrowDown", { shiftKey: true }), false)).toBe("shift+ArrowDown");
  expect(chordOf(press("j", { altKey: true }), false)).toBeNull();
});

it("prints keys as the keyboard does", () => {
  expect(printed("mod+k", true)).toEqual(["⌘", "K"]);
  expect(printed("mod+k", false)).toEqual(["Ctrl", "K"]);
  expect(printed("g r", false)).toEqual(["G", "R"]);
  expect(printed("shift+ArrowDown", true)).toEqual(["⇧", "↓"]);
});
