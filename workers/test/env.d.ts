import type { D1Migration } from "cloudflare:test";
import type { Bindings } from "../src/bindings.ts";

declare global {
  namespace Cloudflare {
    /** The bindings that `env` of `cloudflare:workers` has in the tests. */
    interface Env extends Bindings {
      FUZZ_SEED: string;
      FUZZ_ROUNDS?: string;
      /** JSON of the addresses of the tests' own servers, see `outside.ts`. */
      OUTSIDE: string;
      MIGRATIONS: D1Migration[];
    }
    /** Gives `exports` of `cloudflare:workers` its type. */
    interface GlobalProps {
      mainModule: { default: ExportedHandler };
    }
  }
}
