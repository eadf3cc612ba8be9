import { expect, test } from "vitest";
import { SEEDS, SEEDS_OF_A_KIND, simulate } from "../command.ts";
import { INVARIANTS } from "../invariants.ts";
import { MUTATIONS } from "./list.ts";
import { mutate } from "./mutation.ts";

// Without a mutation the same seeds pass: simulation.test.ts.
for (const mutation of MUTATIONS) {
  const { name, invariant, kind } = mutation;
  test.concurrent(`invariant ${invariant} is found broken where ${name}`, { timeout: 600_000 }, async () => {
    const seeds = kind ? ["--kind", kind, "--seeds", String(SEEDS_OF_A_KIND)] : ["--seeds", String(SEEDS)];
    const { stderr } = await simulate("--mutation", name, "--jobs", "1", ...seeds);
    expect(stderr).toMatch(new RegExp(`^Seed \\d+, step \\d+: invariant ${invariant}: `));
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
