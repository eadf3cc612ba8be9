import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openDataDir } from "../src/data-dir.ts";
import { ServerError } from "../src/errors.ts";
import { lockDataDir } from "../src/lock.ts";
import { claimPort } from "../src/ports.ts";
import { loadSecrets } from "../src/secrets.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "acme-data-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe("openDataDir", () => {
  it("closes a folder that was open to others", () => {
    chmodSync(folder, 0o755);
    openDataDir(folder);
    expect(statSync(folder).mode & 0o777).toBe(0o700);
  });
});

describe("loadSecrets", () => {
  it("makes them once and keeps them, readable by the owner only", () => {
    const { secretsFile } = openDataDir(folder);
    const first = loadSecrets(secretsFile);
    expect(loadSecrets(secretsFile)).toEqual(first);
    expect(statSync(secretsFile).mode & 0o777).toBe(0o600);
    expect(first.secretKey).toMatch(/^tr_prod_sk_[0-9a-z]{24}$/);
    expect(first.devSecretKey).toMatch(/^tr_dev_/);
    expect(first.accessToken).toMatch(/^tr_pat_/);
    expect(first.encryptionKeys).toMatch(/^k1:/);
    expect(new Set(Object.values(first)).size).toBe(8);
  });

  it("adds a key for variables to an older folder, and keeps the rest", () => {
    const { secretsFile } = openDataDir(folder);
    const { encryptionKeys: _, ...older } = loadSecrets(secretsFile);
    writeFileSync(secretsFile, JSON.stringify(older));
    const loaded = loadSecrets(secretsFile);
    expect(loaded).toMatchObject(older);
    expect(loaded.encryptionKeys).toMatch(/^k1:/);
    expect(loadSecrets(secretsFile)).toEqual(loaded);
  });

  it.each(["", "{", '{"hostToken":"short"}'])(
    "refuses a damaged file (%j) and leaves it as it is",
    (text) => {
      const path = join(folder, "secrets.json");
      writeFileSync(path, text);
      expect(() => loadSecrets(path)).toThrow(/is damaged/);
      expect(readFileSync(path, "utf8")).toBe(text);
    },
  );
});

describe("lockDataDir", () => {
  it("lets one process at a time use the folder and names the owner", () => {
    const unlock = lockDataDir(folder);
    expect(() => lockDataDir(folder)).toThrow(ServerError);
    expect(() => lockDataDir(folder)).toThrow(
      new RegExp(`in use by another server \\(process ${process.pid}\\)`),
    );
    unlock();
    lockDataDir(folder)();
  });

  it("is free again when its owner ended without releasing it", async () => {
    const source = `import { lockDataDir } from ${JSON.stringify(new URL("../src/lock.ts", import.meta.url).href)};
      lockDataDir(${JSON.stringify(folder)});`;
    const owner = new Worker(new URL(`data:text/javascript,${encodeURIComponent(source)}`));
    await new Promise((resolve) => owner.once("exit", resolve));
    lockDataDir(folder)();
  });
});

describe("claimPort", () => {
  it("finds a free one for 0, and uses a requested one", async () => {
    const port = await claimPort("127.0.0.1", 0);
    expect(port).toBeGreaterThan(0);
    expect(await claimPort("127.0.0.1", port)).toBe(port);
  });

  it("says what to do when it is taken", async () => {
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
    const { port } = other.address() as { port: number };
    await expect(claimPort("127.0.0.1", port)).rejects.toThrow(
      `Port ${port} on 127.0.0.1 is in use by another program. Choose another one with --port N`,
    );
    other.close();
  });

  it("says that an address is not this machine's", async () => {
    await expect(claimPort("192.0.2.1", 0)).rejects.toThrow("This machine has no address 192.0.2.1");
  });
});
