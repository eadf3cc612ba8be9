import { existsSync, readFileSync } from "node:fs";
import { isBuiltin } from "node:module";
import { dirname, join } from "node:path";
import type { Plugin } from "esbuild";
import { z } from "zod";

/** A package that is not part of the bundle: it is installed where the bundle runs. */
export interface External {
  name: string;
  version: string;
  /** True: it has native code that is not precompiled, and so has to be compiled for the target machine. */
  isCompiled: boolean;
}

/** The fields of a `package.json` about native code. */
const PackageJson = z.object({
  version: z.string().default("*"),
  gypfile: z.boolean().optional(),
  /** The field of napi-rs. */
  napi: z.unknown().optional(),
  /** The field of node-pre-gyp. */
  binary: z.unknown().optional(),
  main: z.string().optional().catch(undefined),
  dependencies: z.record(z.string(), z.string()).optional(),
});
type PackageJson = z.infer<typeof PackageJson>;

/** Packages that load native code. A package that depends on one has native code. */
const LOADERS = [
  "bindings",
  "node-gyp-build",
  "node-gyp-build-optional-packages",
  "node-pre-gyp",
  "@mapbox/node-pre-gyp",
  "prebuild-install",
];

/** Returns the package's name in an import such as `a/b` or `@s/a/b`. */
const packageName = (path: string): string =>
  path
    .split("/")
    .slice(0, path.startsWith("@") ? 2 : 1)
    .join("/");

/**
 * Leaves packages out of the bundle: those that `externals` names and, if `detect` is on, those with native
 * code, which cannot be bundled. `found` contains them after the build.
 */
export function externalsPlugin(
  externals: readonly string[],
  detect: boolean,
): { plugin: Plugin; found: Map<string, External> } {
  const found = new Map<string, External>();
  const decided = new Map<string, External | null>();
  const plugin: Plugin = {
    name: "acme-externals",
    setup(build) {
      build.onStart(() => found.clear());
      build.onResolve({ filter: /^[^./]/ }, ({ kind, path, resolveDir }) => {
        if (kind === "entry-point" || isBuiltin(path)) return undefined;
        const name = packageName(path);
        const key = `${name}\n${resolveDir}`;
        let external = decided.get(key);
        if (external === undefined) {
          external = decide(name, resolveDir, externals.includes(name), detect);
          decided.set(key, external);
        }
        if (!external) return undefined;
        found.set(name, external);
        return { path, external: true };
      });
    },
  };
  return { plugin, found };
}

function decide(name: string, from: string, isNamed: boolean, detect: boolean): External | null {
  if (!isNamed && !detect) return null;
  const folder = packageFolder(name, from);
  if (!folder) return isNamed ? { name, version: "*", isCompiled: false } : null;
  const parsed = PackageJson.safeParse(JSON.parse(readFileSync(join(folder, "package.json"), "utf8")));
  if (!parsed.success) return null;
  const about = parsed.data;
  if (!isNamed && !isNative(folder, about)) return null;
  const isCompiled = existsSync(join(folder, "binding.gyp")) && !existsSync(join(folder, "prebuilds"));
  return { name, version: about.version, isCompiled };
}

/** Returns the folder of an installed package, with Node.js's resolution. */
function packageFolder(name: string, from: string): string | null {
  for (let folder = from; ; folder = dirname(folder)) {
    const candidate = join(folder, "node_modules", name);
    if (existsSync(join(candidate, "package.json"))) return candidate;
    if (folder === dirname(folder)) return null;
  }
}

const isNative = (folder: string, { binary, dependencies = {}, gypfile, main, napi }: PackageJson): boolean =>
  gypfile === true ||
  napi !== undefined ||
  binary !== undefined ||
  main?.endsWith(".node") === true ||
  LOADERS.some((loader) => loader in dependencies) ||
  existsSync(join(folder, "binding.gyp"));
