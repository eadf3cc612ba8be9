import { readFileSync } from "node:fs";
import { registerHooks } from "node:module";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { options } from "../options.ts";
import { MUTATIONS } from "./list.ts";
import { mutate } from "./mutation.ts";

const ROOT = join(import.meta.dirname, "../../..");

/** The code under test is loaded with this change. */
const mutation = MUTATIONS.find(({ name }) => name === options.mutation);
if (options.mutation !== undefined && !mutation) throw new Error(`No mutation "${options.mutation}"`);

if (mutation) {
  const mutated = pathToFileURL(join(ROOT, mutation.module)).href;
  registerHooks({
    load: (url, context, next) =>
      url === mutated
        ? {
            format: "module-typescript",
            source: mutate(readFileSync(fileURLToPath(url), "utf8"), mutation),
            shortCircuit: true,
          }
        : next(url, context),
  });
}
