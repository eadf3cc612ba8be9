import { afterEach, expect, it, vi } from "vitest";
import { interruption } from "../src/interruption.ts";

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

it("a Ctrl-C that a package manager sends on is the same one; a second one ends the process at once", () => {
  vi.useFakeTimers();
  const exit = vi.spyOn(process, "exit").mockImplementation((() => {}) as typeof process.exit);
  const names = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
  const before = new Set(names.flatMap((name) => process.listeners(name)));
  const signal = interruption();
  const [press] = process.listeners("SIGINT").filter((listener) => !before.has(listener));
  try {
    expect(signal.aborted).toBe(false);
    press?.("SIGINT");
    vi.advanceTimersByTime(20);
    press?.("SIGINT");
    expect(signal.aborted).toBe(true);
    expect(exit).not.toHaveBeenCalled();
    vi.advanceTimersByTime(1_000);
    press?.("SIGINT");
    expect(exit).toHaveBeenCalledExactlyOnceWith(130);
  } finally {
    for (const name of names)
      for (const listener of process.listeners(name)) if (!before.has(listener)) process.off(name, listener);
  }
});
