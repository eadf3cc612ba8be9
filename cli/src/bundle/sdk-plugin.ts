import { readFile, stat } from "node:fs/promises";
import { createRequire } from "node:module";
import { extname, join, relative, sep } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import * as sdk from "@acme/sdk";
import { enterFileStatement } from "@acme/sdk/bundle";
import type { Loader, OnResolveResult, PartialMessage, Plugin } from "esbuild";
import { whyLeftOut } from "./left-out.ts";
import { findMissingNames } from "./missing-names.ts";

/** Every specifier of the SDK, including Trigger.dev's. */
const SDK_SPECIFIERS = new Set(["@acme/sdk", "@trigger.dev/sdk", "@trigger.dev/sdk/v3"]);
const SDK_FILE = fileURLToPath(import.meta.resolve("@acme/sdk"));

const LOADERS: Record<string, Loader> = {
  ".ts": "ts",
  ".mts": "ts",
  ".cts": "ts",
  ".tsx": "tsx",
  ".js": "jsx",
  ".mjs": "js",
  ".cjs": "js",
  ".jsx": "jsx",
};

/** Packages with build extensions, which run when a project is built and are not part of its bundle. */
const EXTENSIONS = /^@trigger\.dev\/(build(\/|$)|python\/extension$)/;
const INERT = "acme-inert";
/**
 * A module that has every name that is imported from it, as a function that returns an object without
 * methods.
 */
const INERT_MODULE = `module.exports = Object.create(new Proxy({}, {
  get: (_, name) => (typeof name === "symbol" || name === "__esModule" ? undefined : () => ({ name })),
}));`;

/**
 * How imports of build extensions in the configuration are resolved: to the packages when the configuration
 * is read, or to nothing in the bundle, which contains the configuration.
 */
export type ExtensionImports = "resolved" | "inert";

function resolvedExtensions(path: string, root: string): OnResolveResult {
  try {
    const file = createRequire(pathToFileURL(join(root, "package.json"))).resolve(path);
    return { path: pathToFileURL(file).href, external: true };
  } catch {
    return {
      errors: [
        {
          text: `"${path}" is not installed in the project`,
          detail: { remedy: `npm install --save-dev ${path.split("/").slice(0, 2).join("/")}` },
        },
      ],
    };
  }
}

/**
 * Resolves the SDK, also under Trigger.dev's name, to this one, and refuses names that it does not have.
 * Inserts a statement at the beginning of every file of the project that registers its name, so that tasks
 * know where they are declared.
 */
export function sdkPlugin(root: string, extensions: ExtensionImports): Plugin {
  return {
    name: "acme-sdk",
    setup(build) {
      /** Files of packages that do not use the SDK, with the time of their last change: most of what a bundle is made of. */
      const plain = new Map<string, number>();
      build.onResolve({ filter: /^@trigger\.dev\/|^@acme\/sdk(\/|$)/ }, ({ path, kind }) => {
        if (SDK_SPECIFIERS.has(path)) return { path: SDK_FILE };
        if (kind === "entry-point") return undefined;
        if (path === "@acme/sdk/bundle") return { path: fileURLToPath(import.meta.resolve(path)) };
        if (EXTENSIONS.test(path)) {
          return extensions === "inert" ? { path, namespace: INERT } : resolvedExtensions(path, root);
        }
        const why = whyLeftOut(path);
        return {
          errors: [
            why !== null
              ? { text: why }
              : {
                  text: `"${path}" is not available in Acme yet`,
                  detail: { remedy: "import from @acme/sdk" },
                },
          ],
        };
      });

      build.onLoad({ filter: /.*/, namespace: INERT }, () => ({ contents: INERT_MODULE }));

      build.onLoad({ filter: /\.[cm]?[jt]sx?$/, namespace: "file" }, async ({ path }) => {
        const name = relative(root, path).split(sep).join("/");
        const loader = LOADERS[extname(path)];
        const isProject = !name.startsWith("../") && !name.includes("node_modules/");
        if (!loader || (!isProject && !path.includes(`${sep}node_modules${sep}`))) return undefined;
        const changedAt = isProject ? undefined : (await stat(path)).mtimeMs;
        if (changedAt !== undefined && plain.get(path) === changedAt) return undefined;
        const contents = await readFile(path, "utf8");
        const usesSdk = /["'](@acme|@trigger\.dev)\/sdk/.test(contents);
        if (changedAt !== undefined && !usesSdk) {
          plain.set(path, changedAt);
          return undefined;
        }
        const missing = usesSdk
          ? await findMissingNames(contents, {
              loader,
              isSdk: (specifier) => SDK_SPECIFIERS.has(specifier),
              sdk,
            })
          : [];
        const lines = contents.split("\n");
        const errors: PartialMessage[] = missing.map((found) => ({
          text: whyLeftOut(found.name) ?? `"${found.name}" is not available in Acme yet`,
          location: {
            file: name,
            line: found.line,
            column: found.column,
            lineText: lines[found.line - 1] ?? "",
          },
        }));
        if (errors.length > 0) return { errors };
        return { contents: isProject ? withFileName(contents, name) : contents, loader };
      });
    },
  };
}

/**
 * Inserts a statement into the first line, so that line numbers do not change; or after a `#!` line, which
 * has to be first.
 */
function withFileName(contents: string, name: string): string {
  const statement = enterFileStatement(name);
  if (!contents.startsWith("#!")) return `${statement}${contents}`;
  const end = contents.indexOf("\n");
  return end === -1 ? contents : `${contents.slice(0, end + 1)}${statement}${contents.slice(end + 1)}`;
}
