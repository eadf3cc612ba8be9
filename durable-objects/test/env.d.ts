import type { ObjectBindings } from "../src/routing/stubs.ts";

declare global {
  namespace Cloudflare {
    /** The bindings that `env` of `cloudflare:workers` has in the tests. */
    interface Env extends ObjectBindings {}
  }
}
