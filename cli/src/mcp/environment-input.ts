import { z } from "zod";
import { CliError } from "../errors.ts";
import type { McpOptions } from "./context.ts";

/** The environment that a tool acts on. */
export const environmentInput = ({ env, onlyEnv }: McpOptions) =>
  z
    .string()
    .max(64)
    .optional()
    .describe(onlyEnv ? `only "${env}"` : `dev, staging, preview, prod, or another slug; default "${env}"`);

/** @throws CliError if the tools are bound to another environment */
export function slugOf(given: string | undefined, { env, onlyEnv }: McpOptions): string {
  if (given === undefined || given === env) return env;
  if (onlyEnv) throw new CliError(`This server acts on environment "${env}" only (--only-env).`);
  return given;
}
