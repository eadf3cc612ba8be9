import type { BuildExtension } from "@acme/sdk";
import { MACHINE_PRESETS, RetryOptions } from "@acme/sdk/contract";
import { z } from "zod";

const NOT_AN_EXTENSION = "a build extension is an object with a name: call the function that creates it";

const isExtension = (value: unknown): boolean =>
  typeof value === "object" && value !== null && "name" in value && typeof value.name === "string";

/**
 * The settings of `acme.config.ts` that the CLI uses. Hooks and task defaults are part of the bundle, with
 * the file.
 */
export const ProjectConfig = z.object({
  project: z.string({ error: 'the project\'s reference is missing: add `project: "proj_…"`' }).min(1),
  dirs: z.array(z.string()).min(1).optional(),
  ignorePatterns: z.array(z.string()).optional(),
  tsconfig: z.string().optional(),
  retries: z.object({ enabledInDev: z.boolean().optional(), default: RetryOptions.optional() }).optional(),
  machine: z.enum(MACHINE_PRESETS).optional(),
  maxDuration: z.number().int().min(5, "at least 5 (seconds)").optional(),
  runtime: z.enum(["node", "node-22", "node-24"], { error: "only node is available in Acme yet" }).optional(),
  build: z
    .object({
      external: z.array(z.string()).optional(),
      autoDetectExternal: z.boolean().optional(),
      keepNames: z.boolean().optional(),
      minify: z.boolean().optional(),
      conditions: z.array(z.string()).optional(),
      jsx: z
        .object({
          factory: z.string().optional(),
          fragment: z.string().optional(),
          automatic: z.boolean().optional(),
        })
        .optional(),
      extensions: z.array(z.custom<BuildExtension>(isExtension, NOT_AN_EXTENSION)).optional(),
    })
    .optional(),
  // The runtime applies these settings from the file itself. Only what it could not apply is refused here.
  telemetry: z
    .strictObject(
      {
        instrumentations: z.array(z.unknown()).optional(),
        exporters: z.array(z.unknown()).optional(),
        spanProcessors: z.array(z.unknown()).optional(),
        logExporters: z.array(z.unknown()).optional(),
        metricExporters: z.array(z.unknown()).optional(),
        metricReaders: z.array(z.unknown()).optional(),
        resource: z.unknown().optional(),
      },
      {
        error: (issue) =>
          issue.code === "unrecognized_keys"
            ? `${issue.keys.join(", ")}: not available in Acme yet`
            : undefined,
      },
    )
    .optional(),
  instrumentations: z
    .array(z.unknown())
    .max(0, "they are part of `telemetry`: write `telemetry: { instrumentations: […] }`")
    .optional(),
});
export type ProjectConfig = z.infer<typeof ProjectConfig>;
