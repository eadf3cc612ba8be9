import { readFileSync } from "node:fs";
import { parse } from "smol-toml";
import { z } from "zod";

/** The settings of wrangler.toml that also apply on one machine; the rest concerns only Cloudflare. */
const WranglerConfig = z.object({
  main: z.string(),
  compatibility_date: z.string(),
  compatibility_flags: z.array(z.string()).default([]),
  vars: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])).default({}),
  durable_objects: z.object({ bindings: z.array(z.object({ name: z.string(), class_name: z.string() })) }),
});

export interface WorkerSettings {
  /** The Worker's entry file, relative to the folder of wrangler.toml. */
  main: string;
  compatibilityDate: string;
  compatibilityFlags: string[];
  vars: Record<string, string>;
  objects: { binding: string; className: string }[];
}

/** The one description of the Worker that Cloudflare and the one-machine server share. */
export function readWranglerConfig(path: string): WorkerSettings {
  const config = WranglerConfig.parse(parse(readFileSync(path, "utf8")));
  return {
    main: config.main,
    compatibilityDate: config.compatibility_date,
    compatibilityFlags: config.compatibility_flags,
    vars: Object.fromEntries(Object.entries(config.vars).map(([name, value]) => [name, String(value)])),
    objects: config.durable_objects.bindings.map((b) => ({ binding: b.name, className: b.class_name })),
  };
}
