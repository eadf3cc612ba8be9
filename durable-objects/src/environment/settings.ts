import { DEFAULTS } from "@acme/sdk/contract";
import type { Meta } from "../lib/sql.ts";
import type { EnvironmentSettings } from "./rpc.ts";

const META_KEY = "settings";

const DEFAULT_SETTINGS: EnvironmentSettings = {
  concurrencyLimit: DEFAULTS.environmentConcurrency,
  burstFactor: 1,
  weight: 1,
  queueSizeLimit: null,
  paused: false,
};

export const loadSettings = (meta: Meta): EnvironmentSettings => ({
  ...DEFAULT_SETTINGS,
  ...meta.get<Partial<EnvironmentSettings>>(META_KEY),
});

export const saveSettings = (meta: Meta, settings: EnvironmentSettings): void => meta.set(META_KEY, settings);

/** Returns the settings with the defined fields of `changes` applied. */
export function withChanges(
  settings: EnvironmentSettings,
  changes: Partial<EnvironmentSettings>,
): EnvironmentSettings {
  const given = Object.entries(changes).filter(([, value]) => value !== undefined);
  return { ...settings, ...Object.fromEntries(given) };
}

/** Returns the number of slots of all queues together: the limit with its burst. */
export const slotLimit = ({ concurrencyLimit, burstFactor }: EnvironmentSettings): number =>
  Math.floor(concurrencyLimit * burstFactor);
