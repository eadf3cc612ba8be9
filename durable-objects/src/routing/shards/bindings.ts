/** The calls that another process of the same server answers. */
export interface ShardPeer {
  /** Resolves at once if the process is alive. */
  ping(): Promise<void>;
  /** Calls a method of one of its objects. */
  call(binding: string, name: string, method: string, args: unknown[]): Promise<unknown>;
  /** Sends a request to the object that `OBJECT_HEADER` names, for WebSockets. */
  fetch(request: Request): Promise<Response>;
}

/**
 * Bindings of a Worker whose objects are spread over several processes of one machine, its shards. They are
 * absent everywhere else, and then each object is in its own namespace.
 */
export interface ShardBindings {
  /** The number of this process, from 0. */
  SHARD?: string;
  /** `GET /KEY`: the number of the process that has an environment. `PUT /KEY/TYPE`: gives a new environment a process. */
  PLACEMENTS?: Pick<Fetcher, "fetch">;
  /** The other processes, by number. */
  [peer: `SHARD_${number}`]: ShardPeer | undefined;
}

/** Names the object that a request between processes is for: its binding and its name, percent-encoded. */
export const OBJECT_HEADER = "acme-object";
