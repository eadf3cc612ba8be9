/** CommonJS packages that are bundled into an ES module need `require`, which esbuild does not provide. */
export const REQUIRE_BANNER =
  'import { createRequire as __acmeCreateRequire } from "node:module"; const require = __acmeCreateRequire(import.meta.url);';
