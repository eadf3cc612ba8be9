import { expect, it } from "vitest";
import { formatBytes, formatCompact, formatCount, plural } from "../src/lib/format/number.ts";
import { clip, middle } from "../src/lib/format/text.ts";
import {
  formatClock,
  formatDuration,
  formatExact,
  formatRelative,
  withExactTimes,
} from "../src/lib/format/time.ts";

it.each([
  [-5, "0 ms"],
  [0, "0 ms"],
  [842, "842 ms"],
  [999.6, "1 s"],
  [1_000, "1 s"],
  [4_230, "4.2 s"],
  [42_300, "42 s"],
  [59_960, "1 m"],
  [192_000, "3 m 12 s"],
  [3_600_000, "1 h"],
  [7_500_000, "2 h 5 m"],
  [187_200_000, "2 d 4 h"],
  [Number.NaN, "0 ms"],
])("a duration of %d ms is %s", (ms, text) => {
  expect(formatDuration(ms)).toBe(text);
});

it.each([
  [500, "now"],
  [12_000, "12 s ago"],
  [200_000, "3 m ago"],
  [-14_400_000, "in 4 h"],
  [6 * 86_400_000, "6 d ago"],
])("what is %d ms back is %s", (back, text) => {
  expect(formatRelative(1_000_000_000_000 - back, 1_000_000_000_000)).toBe(text);
});

it("shows moments in UTC or a zone", () => {
  const time = Date.UTC(2026, 10, 27, 14, 2, 11, 42);
  expect(formatExact(time, "UTC")).toMatch(/27 Nov 2026, 14:02:11 UTC/);
  expect(withExactTimes("Delayed until 2026-11-27T14:02:11.042Z.", "UTC")).toBe(
    "Delayed until 27 Nov 2026, 14:02:11 UTC.",
  );
  expect(withExactTimes("Waits for run 2026-99-99T99:99:99Z of a", "UTC")).toBe(
    "Waits for run 2026-99-99T99:99:99Z of a",
  );
  expect(formatClock(time, "Asia/Tokyo")).toBe("23:02:11.042");
});

it("shows numbers, sizes and counts", () => {
  expect(formatCount(1_204)).toBe("1,204");
  expect(formatCompact(12_400)).toBe("12.4k");
  expect(formatCompact(3_100_000)).toBe("3.1M");
  expect(formatBytes(812)).toBe("812 B");
  expect(formatBytes(3 * 1_048_576)).toBe("3 MB");
  expect(plural(1, "run")).toBe("1 run");
  expect(plural(1_204, "run")).toBe("1,204 runs");
});

it("shortens texts", () => {
  expect(middle("run_w98ap61sysfl1tqf0i0mwz", 4, 8)).toBe("run_…f0i0mwz".replace("f0i0mwz", "qf0i0mwz"));
  expect(middle("short")).toBe("short");
  expect(clip("abcdef", 4)).toEqual({ text: "abcd", rest: 2 });
});
