/** Milliseconds as people read them: `842 ms`, `4.2 s`, `3 m 12 s`, `2 h 5 m`, `2 d 4 h`. Negative counts as 0. */
export function formatDuration(ms: number): string {
  if (!Number.isFinite(ms) || ms <= 0) return "0 ms";
  if (ms < 999.5) return `${Math.round(ms)} ms`;
  if (ms < 59_950) {
    const seconds = ms / 1_000;
    return `${seconds < 10 ? Number(seconds.toFixed(1)) : Math.round(seconds)} s`;
  }
  const seconds = Math.round(ms / 1_000);
  const units = [
    [86_400, "d", 3_600, "h"],
    [3_600, "h", 60, "m"],
    [60, "m", 1, "s"],
  ] as const;
  for (const [size, name, lesser, lesserName] of units) {
    if (seconds < size) continue;
    const whole = Math.floor(seconds / size);
    const rest = Math.floor((seconds % size) / lesser);
    return rest === 0 ? `${whole} ${name}` : `${whole} ${name} ${rest} ${lesserName}`;
  }
  return `${seconds} s`;
}

/** `now`, `12 s ago`, `3 m ago`, `in 4 h`, `6 d ago`. */
export function formatRelative(time: number, now: number): string {
  const distance = Math.abs(now - time);
  const future = time > now;
  if (distance < 1_000) return "now";
  const [size, unit] =
    distance < 60_000
      ? [1_000, "s"]
      : distance < 3_600_000
        ? [60_000, "m"]
        : distance < 86_400_000
          ? [3_600_000, "h"]
          : ([86_400_000, "d"] as const);
  const text = `${Math.floor(distance / (size as number))} ${unit}`;
  return future ? `in ${text}` : `${text} ago`;
}

const formats = new Map<string, Intl.DateTimeFormat>();

function formatter(
  zone: string | undefined,
  style: "full" | "clock" | "minute" | "wall" | "day" | "hour",
): Intl.DateTimeFormat {
  const key = `${zone}|${style}`;
  let format = formats.get(key);
  if (!format) {
    const clock = { hour: "2-digit", minute: "2-digit", hourCycle: "h23" } as const;
    const day = { year: "numeric", month: "short", day: "numeric" } as const;
    const options: Intl.DateTimeFormatOptions =
      style === "clock"
        ? { ...clock, second: "2-digit", fractionalSecondDigits: 3 }
        : style === "hour"
          ? clock
          : style === "day"
            ? { month: "short", day: "numeric" }
            : style === "wall"
              ? { weekday: "short", ...day, ...clock, timeZoneName: "short" }
              : style === "minute"
                ? { ...day, ...clock }
                : { ...day, ...clock, second: "2-digit", timeZoneName: "short" };
    format = new Intl.DateTimeFormat("en-GB", { timeZone: zone, ...options });
    formats.set(key, format);
  }
  return format;
}

/** `27 Nov 2026, 14:02:11 UTC`. `zone` undefined: that of this machine. */
export const formatExact = (time: number, zone?: string): string => formatter(zone, "full").format(time);
/** `27 Nov 2026, 14:02`. */
export const formatMinute = (time: number, zone?: string): string => formatter(zone, "minute").format(time);
/** `Fri, 27 Nov 2026, 14:02 CET`. */
export const formatWall = (time: number, zone?: string): string => formatter(zone, "wall").format(time);
/** A label of a time axis: `14:00`, or `27 Nov` where it spans days. */
export const formatAxisTime = (time: number, span: number, zone?: string): string =>
  formatter(zone, span > 2 * 86_400_000 ? "day" : "hour").format(time);
/** `14:02:11.042`. */
export const formatClock = (time: number, zone?: string): string => formatter(zone, "clock").format(time);

const ISO_TIME = /\b\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d+)?Z/g;

/** A sentence of the API with its times as the person reads times. */
export const withExactTimes = (text: string, zone?: string): string =>
  text.replace(ISO_TIME, (time) =>
    Number.isNaN(Date.parse(time)) ? time : formatExact(Date.parse(time), zone),
  );
