/** Every export of `@trigger.dev/sdk` either exists in this SDK, or a build says why it does not. */
import * as sdk from "@acme/sdk";
import * as reference from "@trigger.dev/sdk";
import { expect, it } from "vitest";
import { whyLeftOut } from "../src/bundle/left-out.ts";
import { REFERENCE_VALUES } from "../src/bundle/reference-names.ts";

const isNamespace = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/**
 * Returns the paths of everything that one has and the other does not, like `runs.bulk.cancel`, except below
 * names that are missing altogether.
 */
function missing(of: object, from: object, path = ""): string[] {
  return Object.entries(of)
    .filter(([name]) => !name.startsWith("__"))
    .flatMap(([name, value]) => {
      if (!(name in from)) return [`${path}${name}`];
      const own: unknown = Reflect.get(from, name);
      return isNamespace(value) && isNamespace(own) ? missing(value, own, `${path}${name}.`) : [];
    });
}

it("the list of its values is what the package exports", () => {
  const names = Object.keys(reference).filter((name) => !name.startsWith("__"));
  expect([...REFERENCE_VALUES].sort()).toEqual(names.sort());
});

it("every name that is missing here is left out for a reason", () => {
  const names = missing(reference, sdk);
  expect(names).toContain("prompts");
  expect(names.filter((name) => whyLeftOut(name) === null)).toEqual([]);
});

it("no existing name counts as left out", () => {
  const own = (of: object, path = ""): string[] =>
    Object.entries(of).flatMap(([name, value]) => [
      `${path}${name}`,
      ...(isNamespace(value) ? own(value, `${path}${name}.`) : []),
    ]);
  expect(own(sdk).filter((name) => whyLeftOut(name) !== null)).toEqual([]);
});

it("exports of the same name are of the same kind", () => {
  const kinds = (of: object, with_: object, path = ""): string[] =>
    Object.entries(of).flatMap(([name, value]) => {
      const own: unknown = Reflect.get(with_, name);
      if (own === undefined) return [];
      if (typeof own !== typeof value) return [`${path}${name}`];
      return isNamespace(value) && isNamespace(own) ? kinds(value, own, `${path}${name}.`) : [];
    });
  expect(kinds(reference, sdk)).toEqual([]);
});
