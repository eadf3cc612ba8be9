/**
 * CommonJS packages that are bundled into an ES module need `require`, `__filename` and `__dirname`, which esbuild does not provide.
 * The latter two are globals because projects often declare variables of these names themselves.
 */
export const BANNER =
  'import { createRequire as __acmeCreateRequire } from "node:module"; const require = __acmeCreateRequire(import.meta.url); globalThis.__filename ??= import.meta.filename; globalThis.__dirname ??= import.meta.dirname;';
