import { readFileSync } from "node:fs";
import { registerHooks } from "node:module";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { MUTATIONS } from "./mutations/list.ts";
import { mutate } from "./mutations/mutation.ts";
import { options } from "./options.ts";

/** In plain Node the objects' base class comes from the simulation. */
const BASE = new URL("./cloudflare-workers.ts", import.meta.url).href;
const ROOT = join(import.meta.dirname, "../..");

/** The code under test is loaded with this change. */
const mutation = MUTATIONS.find(({ name }) => name === options.mutation);
if (options.mutation !== undefined && !mutation) throw new Error(`No mutation "${options.mutation}"`);
const mutated = mutation && pathToFileURL(join(ROOT, mutation.module)).href;

registerHooks({
  resolve: (specifier, context, next) =>
    specifier === "cloudflare:workers"
      ? { url: BASE, format: "module-typescript", shortCircuit: true }
      : next(specifier, context),
  load: (url, context, next) =>
    mutation && url === mutated
      ? {
          format: "module-typescript",
          source: mutate(readFileSync(fileURLToPath(url), "utf8"), mutation),
          shortCircuit: true,
        }
      : next(url, context),
});
