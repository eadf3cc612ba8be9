import { now } from "./clock.ts";

/** Performs `count` operations in `clients` loops, each of which waits for one operation before the next. */
export async function load(
  clients: number,
  count: number,
  operation: (i: number) => Promise<unknown>,
): Promise<{ latencies: number[]; elapsedMs: number }> {
  const latencies: number[] = [];
  let next = 0;
  const client = async (): Promise<void> => {
    for (let i = next++; i < count; i = next++) {
      const start = now();
      await operation(i);
      latencies.push(now() - start);
    }
  };
  const start = now();
  await Promise.all(Array.from({ length: clients }, client));
  return { latencies, elapsedMs: now() - start };
}
