import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { environmentAccess, projectAccess } from "../src/access.ts";

const local = {
  apiUrl: "http://127.0.0.1:8787",
  projectRef: "proj_default",
  secretKey: "tr_prod_local",
  devSecretKey: "tr_dev_local",
  accessToken: "tr_pat_local",
};

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "acme-access-"));
  mkdirSync(join(folder, ".acme"));
  writeFileSync(join(folder, ".acme/local.json"), JSON.stringify(local));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const elsewhere = { ACME_API_URL: "https://acme.example.com/" };

it("takes the environment's variables, Trigger.dev's names too", () => {
  expect(projectAccess({ env: { ...elsewhere, ACME_ACCESS_TOKEN: "tr_pat_a" }, cwd: folder })).toEqual({
    apiUrl: "https://acme.example.com",
    accessToken: "tr_pat_a",
  });
  const env = { TRIGGER_API_URL: "https://t.example.com", TRIGGER_SECRET_KEY: "tr_prod_t" };
  expect(environmentAccess({ environment: "prod", env, cwd: folder })).toEqual({
    apiUrl: "https://t.example.com",
    secretKey: "tr_prod_t",
  });
});

it("takes the local server's address and keys where nothing is said", () => {
  expect(projectAccess({ env: {}, cwd: folder })).toEqual({
    apiUrl: local.apiUrl,
    accessToken: "tr_pat_local",
  });
  const keyOf = (environment: string) => environmentAccess({ environment, env: {}, cwd: folder }).secretKey;
  expect([keyOf("prod"), keyOf("dev")]).toEqual(["tr_prod_local", "tr_dev_local"]);
  expect(() => keyOf("staging")).toThrow("secret key is missing");
});

it("never sends the local server's keys elsewhere", () => {
  expect(() => projectAccess({ env: elsewhere, cwd: folder })).toThrow("set ACME_ACCESS_TOKEN");
  expect(() => environmentAccess({ environment: "prod", env: elsewhere, cwd: folder })).toThrow(
    "set ACME_SECRET_KEY",
  );
});

it("refuses what is no address", () => {
  for (const ACME_API_URL of ["nonsense", "ftp://x", "file:///etc/passwd"]) {
    expect(() => projectAccess({ env: { ACME_API_URL }, cwd: folder })).toThrow(
      "is not the address of a server",
    );
  }
});
