import type { Result, Router } from "hono/router";
import { RegExpRouter } from "hono/router/reg-exp-router";
import { SmartRouter } from "hono/router/smart-router";
import { TrieRouter } from "hono/router/trie-router";

const MAX_PATHS = 500;
const MAX_LENGTH = 256;

/**
 * Hono's router with a cache of the latest paths: few paths are requested repeatedly (a task's trigger, a
 * host's polls), and a search through all routes costs a request more than its authentication.
 */
export class RememberingRouter<T> implements Router<T> {
  readonly name = "RememberingRouter";
  readonly #router = new SmartRouter<T>({ routers: [new RegExpRouter<T>(), new TrieRouter<T>()] });
  readonly #results = new Map<string, Result<T>>();

  add(method: string, path: string, handler: T): void {
    this.#results.clear();
    this.#router.add(method, path, handler);
  }

  match(method: string, path: string): Result<T> {
    const key = `${method} ${path}`;
    const known = this.#results.get(key);
    if (known) return known;
    const result = this.#router.match(method, path);
    if (path.length <= MAX_LENGTH) {
      if (this.#results.size >= MAX_PATHS) this.#results.clear();
      this.#results.set(key, result);
    }
    return result;
  }
}
