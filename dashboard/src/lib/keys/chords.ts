/** The part of a keyboard event that decides which chord it is. */
export interface KeyPress {
  key: string;
  ctrlKey: boolean;
  metaKey: boolean;
  altKey: boolean;
  shiftKey: boolean;
}

/** `mod+k`, `shift+j`, `?`, `Escape`: the name of a key press in the registry. Null: a modifier alone. */
export function chordOf(event: KeyPress, apple: boolean): string | null {
  if (["Shift", "Control", "Alt", "Meta", "AltGraph", "CapsLock"].includes(event.key)) return null;
  const mod = apple ? event.metaKey : event.ctrlKey;
  const otherMod = apple ? event.ctrlKey : event.metaKey;
  if (otherMod || event.altKey) return null;
  const letter = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  // Shift is part of how `?` is typed, but a modifier of letters and named keys.
  const isLetter = letter.length === 1 && letter.toLowerCase() !== letter.toUpperCase();
  const shift = event.shiftKey && (isLetter || letter.length > 1);
  return `${mod ? "mod+" : ""}${shift ? "shift+" : ""}${letter}`;
}

const SYMBOLS: Record<string, string> = {
  ArrowUp: "↑",
  ArrowDown: "↓",
  ArrowLeft: "←",
  ArrowRight: "→",
  Escape: "Esc",
  Enter: "⏎",
};

/** The keys of a chord or sequence as they are printed on the keyboard: `["⌘", "K"]`, `["G", "R"]`. */
export function printed(keys: string, apple: boolean): string[] {
  return keys
    .split(" ")
    .flatMap((chord) =>
      chord
        .split(/\+(?=.)/)
        .map((part) =>
          part === "mod"
            ? apple
              ? "⌘"
              : "Ctrl"
            : part === "shift"
              ? apple
                ? "⇧"
                : "Shift"
              : (SYMBOLS[part] ?? (part.length === 1 ? part.toUpperCase() : part)),
        ),
    );
}

/** Works while a field has the focus, and with single keys switched off. */
export const needsModifier = (keys: string): boolean => keys.startsWith("mod+");
