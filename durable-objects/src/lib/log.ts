import { type PlatformLogSettings, platformLog, platformLogSettings } from "@acme/sdk/contract";

let settings: PlatformLogSettings | undefined;

/** The runtime fills `process.env` with the Worker's variables; reading it is not free. */
function current(): PlatformLogSettings {
  settings ??= platformLogSettings(process.env, { level: "info", format: "json" });
  return settings;
}

/** What the Worker and its objects say about themselves: lines on the console, where both runtimes collect them. */
export const log = platformLog("worker", current, (line, level) => console[level](line));
