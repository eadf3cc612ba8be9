import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { SEEDS, SEEDS_OF_A_KIND, simulate } from "../command.ts";
import { INVARIANTS } from "../invariants.ts";
import { MUTATIONS } from "./list.ts";
import { mutate } from "./mutation.ts";

const ROOT = join(import.meta.dirname, "../../..");
/**
 * The seed that last found each mutation. It is tried first, which saves running the seeds before it. It may be a
 * later one than those that run without mutations: enter such a seed only if it passes without its mutation.
 */
const FOUND_IN: Record<string, number> = JSON.parse(
  readFileSync(join(import.meta.dirname, "found-in.json"), "utf8"),
);

test("every mutation fits the code", () => {
  for (const mutation of MUTATIONS)
    expect(mutate(readFileSync(join(ROOT, mutation.module), "utf8"), mutation)).toContain(mutation.replace);
});

// Without a mutation the same seeds pass: simulation.test.ts.
for (const mutation of MUTATIONS) {
  const { name, invariant, kind } = mutation;
  const ofKind = kind ? ["--kind", kind] : [];
  const seeds = kind ? SEEDS_OF_A_KIND : SEEDS;
  const run = async (...args: string[]) =>
    (await simulate("--mutation", name, "--jobs", "1", ...ofKind, ...args)).stderr;
  test.concurrent(`invariant ${invariant} is found broken where ${name}`, { timeout: 600_000 }, async () => {
    const isBroken = new RegExp(`^Seed (\\d+), step \\d+: invariant ${invariant}: `);
    const known = FOUND_IN[name];
    if (known !== undefined && isBroken.test(await run("--seed", String(known)))) return;
    const found = await run("--seeds", String(seeds));
    expect(found).toMatch(isBroken);
    console.log(`found-in.json: ${JSON.stringify(name)}: ${isBroken.exec(found)?.[1]}`);
  });
}

test("every invariant has a mutation", () => {
  const broken = new Set(MUTATIONS.map(({ invariant }) => String(invariant)));
  expect([...broken].sort()).toEqual(Object.keys(INVARIANTS));
});

test("a mutation whose text is gone fails loudly", () => {
  const mutation = { name: "m", invariant: 1, module: "a.ts", find: "was here", replace: "" } as const;
  expect(() => mutate("it is here", mutation)).toThrow(
    'Mutation "m" expects this text exactly once in a.ts, and it is there 0 times: was here',
  );
});
