import type { CpuProfile } from "../profile/inspector.ts";
import { sourcesIn } from "../profile/summary.ts";

/** The owner that a sample is charged to, by the outermost function of ours in its stack. */
const OWNERS: [owner: string, path: RegExp][] = [
  ["scheduling", /durable-objects\/src\/(queue|environment|dispatcher|batch|waitpoint)\//],
  ["live", /durable-objects\/src\/live\//],
  ["query side", /workers\/src\/storage\//],
  ["Worker", /workers\/src\/|node_modules|hono/],
];

/** Milliseconds of workerd's thread for each owner. What V8 and workerd do without a function of ours is `runtime`. */
export type ObjectShares = Record<string, number>;

export function objectShares(profile: CpuProfile, bundle: string): ObjectShares {
  const sourceOf = sourcesIn(bundle);
  const owners = new Map<number, string | undefined>();
  const idle = new Set<number>();
  const parents = new Map<number, number>();
  for (const { id, callFrame, children } of profile.nodes) {
    if (callFrame.functionName === "(idle)") idle.add(id);
    const source = sourceOf(callFrame.url, callFrame.lineNumber);
    owners.set(id, source && OWNERS.find(([, path]) => path.test(source))?.[0]);
    for (const child of children ?? []) parents.set(child, id);
  }
  const shares: ObjectShares = {};
  profile.samples.forEach((sample, index) => {
    if (idle.has(sample)) return;
    let owner: string | undefined;
    for (let node: number | undefined = sample; node !== undefined; node = parents.get(node))
      owner = owners.get(node) ?? owner;
    const name = owner ?? "runtime";
    shares[name] = (shares[name] ?? 0) + (profile.timeDeltas[index] ?? 0) / 1_000;
  });
  return shares;
}
