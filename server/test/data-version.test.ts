import { mkdtempSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { claimVersion, isNewer } from "../src/data-version.ts";

it("compares releases", () => {
  expect(isNewer("0.10.0", "0.9.9")).toBe(true);
  expect(isNewer("1.0.0", "0.99.99")).toBe(true);
  expect(isNewer("1.2.3", "1.2.3")).toBe(false);
  expect(isNewer("1.2.3-beta.2", "1.2.3")).toBe(false);
  expect(isNewer("0.9.9", "0.10.0")).toBe(false);
});

it("lets a newer version use a data folder, and no older one", () => {
  const file = join(mkdtempSync(join(tmpdir(), "acme-version-")), "version.json");
  claimVersion(file, "0.1.0");
  claimVersion(file, "0.2.0");
  expect(() => claimVersion(file, "0.1.9")).toThrow(/written by version 0\.2\.0/);
  expect(JSON.parse(readFileSync(file, "utf8"))).toEqual({ version: "0.2.0" });
});
