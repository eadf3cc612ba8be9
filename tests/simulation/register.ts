import { registerHooks } from "node:module";

/** In plain Node the objects' base class comes from the simulation. */
const BASE = new URL("./cloudflare-workers.ts", import.meta.url).href;

registerHooks({
  resolve: (specifier, context, next) =>
    specifier === "cloudflare:workers"
      ? { url: BASE, format: "module-typescript", shortCircuit: true }
      : next(specifier, context),
});
