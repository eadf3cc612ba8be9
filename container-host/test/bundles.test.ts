import { createHash } from "node:crypto";
import { readdirSync, readFileSync, utimesSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { Bundles } from "../src/bundles.ts";
import { testFolder } from "./support/host.ts";

const hashOf = (bytes: Buffer): string => createHash("sha256").update(bytes).digest("hex");
const contents = ["a", "b", "c"].map((letter) => Buffer.alloc(1_000, letter));
const [a, b, c] = contents.map(hashOf) as [string, string, string];

function openBundles(maxBytes: number) {
  const folder = testFolder();
  const fetched: string[] = [];
  const store = new Bundles(folder, maxBytes);
  const path = (hash: string): Promise<string> =>
    store.path(hash, async () => {
      fetched.push(hash);
      return contents.find((bytes) => hashOf(bytes) === hash) ?? Buffer.from("other");
    });
  const bundles = { path, hold: store.hold.bind(store), release: store.release.bind(store) };
  const kept = (): string[] => readdirSync(folder).map((name) => name.replace(".mjs", ""));
  const age = (hash: string, seconds: number) => utimesSync(join(folder, `${hash}.mjs`), seconds, seconds);
  return { age, bundles, fetched, folder, kept };
}

it("fetches a bundle once, also when many ask at the same time", async () => {
  const { bundles, fetched } = openBundles(10_000);
  const paths = await Promise.all([bundles.path(a), bundles.path(a), bundles.path(a)]);
  expect(readFileSync(paths[0] as string)).toEqual(contents[0]);
  expect(fetched).toEqual([a]);
  await bundles.path(a);
  expect(fetched).toEqual([a]);
});

it("removes the least recently used bundles when there are too many", async () => {
  const { age, bundles, kept } = openBundles(2_500);
  await bundles.path(a);
  await bundles.path(b);
  age(a, 1_000);
  age(b, 2_000);
  await bundles.path(c);
  expect(kept().sort()).toEqual([b, c].sort());
});

it("never removes a bundle that a runtime uses", async () => {
  const { age, bundles, kept } = openBundles(1_500);
  await bundles.path(a);
  bundles.hold(a);
  age(a, 1_000);
  await bundles.path(b);
  expect(kept().sort()).toEqual([a, b].sort());
  bundles.release(a);
  await bundles.path(c);
  expect(kept()).toEqual([c]);
});

it("refuses content that does not match its hash, and keeps nothing of it", async () => {
  const { bundles, kept } = openBundles(10_000);
  await expect(bundles.path("0".repeat(64))).rejects.toThrow(/its content has the hash [0-9a-f]{64}/);
  await expect(bundles.path("../../etc/passwd")).rejects.toThrow(/not a content hash/);
  expect(kept()).toEqual([]);
});
