import type { TelemetrySettings } from "../../define/telemetry-settings.ts";

/** Where records come from, in the form of OpenTelemetry's SDK. */
export const SCOPE = { name: "@acme/sdk" } as const;

/** A `Resource` of OpenTelemetry's SDK, with the attributes of the settings. */
export function resourceOf({ resource = {} }: Pick<TelemetrySettings, "resource">) {
  const given =
    "attributes" in resource && typeof resource.attributes === "object" ? resource.attributes : resource;
  const attributes = { "service.name": "acme-task", ...given };
  return {
    attributes,
    asyncAttributesPending: false,
    merge: () => null,
    getRawAttributes: () => Object.entries(attributes),
  };
}

export type ExportedResource = ReturnType<typeof resourceOf>;

export function hrTime(ms: number): [number, number] {
  const seconds = Math.floor(ms / 1_000);
  return [seconds, Math.round((ms - seconds * 1_000) * 1_000_000)];
}

/** Attributes that say of which run a record is. */
export const ofRun = ({ runId, attempt }: { runId: string | null; attempt: number | null }) => ({
  ...(runId ? { "acme.run.id": runId } : {}),
  ...(attempt ? { "acme.attempt": attempt } : {}),
});
