import type { Meta } from "../lib/sql.ts";
import type { StoredSettings } from "../routing/settings.ts";
import type { QueueDeclaration, QueueOverrides } from "./rpc.ts";

export function loadSettings(meta: Meta): StoredSettings {
  return {
    declared: meta.get<QueueDeclaration>("declared") ?? {},
    overrides: meta.get<QueueOverrides>("overrides") ?? {},
    paused: meta.get<boolean>("paused") ?? false,
    revision: meta.get<number>("revision") ?? 0,
    wasSplit: meta.get<boolean>("split") ?? false,
  };
}

export function saveSettings(meta: Meta, stored: StoredSettings): void {
  const { declared, overrides, paused, revision } = stored;
  meta.set("declared", declared);
  meta.set("overrides", overrides);
  meta.set("paused", paused);
  meta.set("revision", revision);
  meta.set("split", stored.wasSplit);
}
