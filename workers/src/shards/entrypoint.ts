import { WorkerEntrypoint } from "cloudflare:workers";
import { callMethod, OBJECT_HEADER, type ShardPeer } from "@acme/durable-objects/routing";
import { app } from "../app.ts";
import type { Bindings } from "../bindings.ts";

/** The bindings whose objects other processes may call. */
const NAMESPACES = [
  "QUEUE",
  "ENVIRONMENT",
  "DISPATCHER",
  "FEED",
  "WAITPOINT",
  "BATCH",
  "LIVE",
  "DATABASE",
  "LIMITER",
  "BULK_ACTION",
  "DELETION",
  "ALERTS",
  "ARTIFACTS",
  "USER",
  "MONITOR",
] as const satisfies (keyof Bindings)[];

/**
 * What the other processes of a server on one machine call (docs/decisions/0025-processes.md). It is
 * reachable only through the process's private socket; on Cloudflare, nothing is bound to it.
 */
export class ShardEntrypoint extends WorkerEntrypoint<Bindings> implements ShardPeer {
  async ping(): Promise<void> {}

  async call(binding: string, name: string, method: string, args: unknown[]): Promise<unknown> {
    return callMethod(this.#object(binding, name), method, args);
  }

  /** A request to an object, or, without the header, to this process: the server asks for its health. */
  override async fetch(request: Request): Promise<Response> {
    const target = request.headers.get(OBJECT_HEADER);
    if (target === null) return app.fetch(request, this.env, this.ctx);
    const [binding, name] = JSON.parse(decodeURIComponent(target)) as [string, string];
    const headers = new Headers(request.headers);
    headers.delete(OBJECT_HEADER);
    return this.#object(binding, name).fetch(new Request(request, { headers }));
  }

  #object(binding: string, name: string) {
    const known = NAMESPACES.find((each) => each === binding);
    if (!known) throw new Error(`There are no objects ${binding}`);
    return this.env[known].getByName(name);
  }
}
