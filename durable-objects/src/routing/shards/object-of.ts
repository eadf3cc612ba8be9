import { OBJECT_HEADER, type ShardBindings, type ShardPeer } from "./bindings.ts";
import { environmentOf } from "./environment-of.ts";
import { throughOutage } from "./outages.ts";
import { knownShardOf, shardOf } from "./placements.ts";
import { watched } from "./watch.ts";

/**
 * Returns the object of a name, in whichever process it is. If no shards are bound, that is the namespace's
 * own stub. An object in another process takes calls of its methods and requests; neither may carry a stub or
 * a function.
 */
export function objectOf<T extends Rpc.DurableObjectBranded | undefined>(
  env: ShardBindings,
  binding: string,
  namespace: DurableObjectNamespace<T>,
  name: string,
): DurableObjectStub<T> {
  const here = namespace.getByName(name);
  if (env.SHARD === undefined) return here;
  const environmentKey = environmentOf(binding, name);
  const shard = environmentKey === null ? 0 : knownShardOf(environmentKey);
  const own = Number(env.SHARD);
  if (shard === own) return here;

  /** Null: this process. */
  const peer = async (): Promise<{ number: number; peer: ShardPeer } | null> => {
    const number = shard ?? (await shardOf(env, environmentKey as string));
    if (number === own) return null;
    const found = env[`SHARD_${number}`];
    if (!found)
      throw new Error(`${binding} ${name} is in process ${number}, which this server does not have.`);
    return { number, peer: found };
  };
  const call = async (method: string, args: unknown[]): Promise<unknown> => {
    const there = await peer();
    if (!there) return callMethod(here, method, args);
    return sent(there, () => there.peer.call(binding, name, method, args));
  };
  const fetch = async (input: RequestInfo | URL, init?: RequestInit): Promise<Response> => {
    const there = await peer();
    const request = new Request(input, init);
    if (!there) return here.fetch(request);
    request.headers.set(OBJECT_HEADER, encodeURIComponent(JSON.stringify([binding, name])));
    return sent(there, () => there.peer.fetch(request));
  };
  return new Proxy(here, {
    get(_, property) {
      if (property === "fetch") return fetch;
      // A promise that resolves to it must not treat it as another promise.
      if (typeof property !== "string" || property === "then") return undefined;
      return (...args: unknown[]) => call(property, args);
    },
  });
}

const sent = <T>({ number, peer }: { number: number; peer: ShardPeer }, send: () => Promise<T>): Promise<T> =>
  throughOutage(number, peer, () => watched(send(), () => peer.ping(), number));

/** Calls a method of an object by its name. */
export function callMethod(object: object, name: string, args: unknown[]): Promise<unknown> {
  const method: unknown = Reflect.get(object, name);
  if (typeof method !== "function") throw new TypeError(`The object has no method ${name}`);
  return Reflect.apply(method, object, args);
}
