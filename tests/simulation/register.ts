import { registerHooks } from "node:module";

/** In plain Node the objects' base class comes from the simulation. */
const BASE = new URL("./cloudflare-workers.ts", import.meta.url).href;

/** A module of drizzle-orm that imports another by its path. */
const isInDrizzle = (specifier: string, parent: string | undefined): parent is string =>
  /^\.\.?\/.*\.js$/.test(specifier) && parent?.includes("/node_modules/drizzle-orm/") === true;

registerHooks({
  resolve: (specifier, context, next) => {
    if (specifier === "cloudflare:workers")
      return { url: BASE, format: "module-typescript", shortCircuit: true };
    // To find the module format, Node.js would parse the 179 KB package.json once for each of the hundred
    // modules.
    if (isInDrizzle(specifier, context.parentURL))
      return { url: new URL(specifier, context.parentURL).href, format: "module", shortCircuit: true };
    return next(specifier, context);
  },
});
