/** This person's choices in this browser. They apply to all tabs. */
export interface Preferences {
  theme: "system" | "light" | "dark";
  /** Times are shown in UTC, or in this machine's zone. */
  time: "local" | "utc";
  /** Shortcuts of one letter work. Off: only those with a modifier do (WCAG 2.1.4). */
  singleKeys: boolean;
  sidebar: "wide" | "narrow";
  /** Suspended stretches are cut out of the trace's time axis. */
  cutWaits: boolean;
  logTime: "relative" | "absolute";
  logWrap: boolean;
  density: "normal" | "compact";
  /** The columns of the runs list, as in the address; empty: the default ones. */
  runColumns: string;
}

const KEY = "acme:preferences";
const DEFAULTS: Preferences = {
  theme: "system",
  time: "local",
  singleKeys: true,
  sidebar: "wide",
  cutWaits: true,
  logTime: "relative",
  logWrap: false,
  density: "normal",
  runColumns: "",
};

function stored(): Preferences {
  try {
    return { ...DEFAULTS, ...(JSON.parse(localStorage.getItem(KEY) ?? "{}") as Partial<Preferences>) };
  } catch {
    return { ...DEFAULTS };
  }
}

export const preferences: Preferences = $state(stored());

/** Changes one choice and stores it. Without storage it lasts until the tab closes. */
export function setPreference<K extends keyof Preferences>(name: K, value: Preferences[K]): void {
  preferences[name] = value;
  try {
    localStorage.setItem(KEY, JSON.stringify(preferences));
  } catch {
    // A private window may refuse storage.
  }
  if (name === "theme") applyTheme();
}

const systemDark = matchMedia("(prefers-color-scheme: dark)");

export function isDark(): boolean {
  return preferences.theme === "dark" || (preferences.theme === "system" && systemDark.matches);
}

export function applyTheme(): void {
  document.documentElement.dataset.theme = isDark() ? "dark" : "light";
}

systemDark.addEventListener("change", applyTheme);
addEventListener("storage", (event) => {
  if (event.key !== KEY) return;
  Object.assign(preferences, stored());
  applyTheme();
});

/** The zone to format times in; undefined: this machine's. */
export const zone = (): string | undefined => (preferences.time === "utc" ? "UTC" : undefined);
