import { mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { writeBundle } from "../src/bundle-cache.ts";

let root: string;
let bundled: number;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "acme-bundle-"));
  bundled = 0;
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const LONG_AGO = new Date("2026-01-01");
function source(name: string, text: string, changedAt = LONG_AGO): void {
  writeFileSync(join(root, name), text);
  utimesSync(join(root, name), changedAt, changedAt);
}
const read = (name: string) => readFileSync(join(root, name), "utf8");

/** A bundler that joins `a` and `b`. Returns what was written. */
async function write(during = () => {}): Promise<string> {
  await writeBundle({
    root,
    outfile: join(root, "out"),
    cacheFile: join(root, "cache/bundle"),
    bundle: async () => {
      bundled += 1;
      writeFileSync(join(root, "out"), `${read("a")}\n${read("b")}`);
      during();
      return ["a", "b", "(disabled):fs"];
    },
  });
  return read("out");
}

it("bundles once, and again when a source has changed or is gone", async () => {
  source("a", "first");
  source("b", "line\nline");
  expect([await write(), await write(), bundled]).toEqual(["first\nline\nline", "first\nline\nline", 1]);
  // As long as before, at another time.
  source("a", "other", new Date("2026-01-02"));
  expect([await write(), await write(), bundled]).toEqual(["other\nline\nline", "other\nline\nline", 2]);
  // Another text at the same time.
  source("b", "longer line");
  expect([await write(), bundled]).toEqual(["other\nlonger line", 3]);
  expect(readdirSync(join(root, "cache"))).toEqual(["bundle"]);
});

it("keeps no module whose source changed while it was bundled", async () => {
  source("a", "first");
  source("b", "b");
  await write(() => writeFileSync(join(root, "a"), "later"));
  expect(await write()).toBe("later\nb");
  expect(bundled).toBe(2);
});

it("rebuilds a damaged cache", async () => {
  source("a", "a");
  source("b", "b");
  await write();
  writeFileSync(join(root, "cache/bundle"), "{");
  expect([await write(), bundled]).toEqual(["a\nb", 2]);
});
