import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { loadSettings } from "../src/settings.ts";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "acme-settings-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const load = (text: string) => {
  const path = join(folder, "settings.env");
  writeFileSync(path, text);
  return loadSettings(path);
};

it("are those of the file, and none without one", () => {
  expect(loadSettings(join(folder, "none"))).toEqual({
    worker: {},
    networks: ["public"],
    alertNetworks: ["public"],
    certificates: [],
  });
  const text = `# Mail\nMAIL_URL=smtp://me:p%40ss@mail.test\nMAIL_FROM="Acme <a@b.test>"\nNETWORKS=public, 10.0.0.0/8\n`;
  expect(load(text)).toEqual({
    worker: { MAIL_URL: "smtp://me:p%40ss@mail.test", MAIL_FROM: "Acme <a@b.test>" },
    networks: ["public", "10.0.0.0/8"],
    alertNetworks: ["public"],
    certificates: [],
  });
});

it("name the invalid ones", () => {
  expect(() => load("MAIL_ULR=x")).toThrow(/sets MAIL_ULR, which the server does not know.*MAIL_URL/);
  expect(() => load("ADMIN_TOKEN=x")).toThrow(/ADMIN_TOKEN/);
  expect(() => load("NETWORKS=everything")).toThrow(/NETWORKS has "everything"/);
  expect(() => load("TRUSTED_CERTIFICATES=/nothing.pem")).toThrow(/can't be read/);
  const file = join(folder, "ca.pem");
  writeFileSync(file, "x");
  expect(() => load(`TRUSTED_CERTIFICATES=${file}`)).toThrow(/no certificate/);
  const pem = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----";
  writeFileSync(file, `${pem}\n${pem}\n`);
  expect(load(`TRUSTED_CERTIFICATES=${file}`).certificates).toEqual([pem, pem]);
});
