/** CommonJS packages in an ES module need `require`; esbuild doesn't provide it. */
export const BANNER =
  'import { createRequire as __acmeCreateRequire } from "node:module"; const require = __acmeCreateRequire(import.meta.url);';
