/**
 * The script that finds out whether CRIU works on a machine, with programs that behave as CRIU does on other
 * machines.
 */
import { spawnSync } from "node:child_process";
import { chmodSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { eventually } from "../../tests/support/eventually.ts";
import { isAlive, testFolder } from "./support/host.ts";

const PROBE = fileURLToPath(new URL("../../scripts/probe-criu.sh", import.meta.url));
const isRootOnLinux = process.platform === "linux" && process.getuid?.() === 0;

function probe(criu: string) {
  const file = join(testFolder(), "criu");
  writeFileSync(file, `#!/bin/sh\n${criu}\n`);
  chmodSync(file, 0o755);
  const { stderr, stdout } = spawnSync(PROBE, [file], {
    env: { ...process.env, PROBE_SECONDS: "1" },
    encoding: "utf8",
  });
  return { said: stdout.trim(), errors: stderr };
}

describe.skipIf(!isRootOnLinux)("the probe of CRIU", () => {
  it.each([
    ["breakpoints", '[ -z "$CRIU_FAULT" ]'],
    ["no-breakpoints", '[ "$CRIU_FAULT" = 130 ] || exec sleep 300'],
    ["hangs", "sleep 300 & wait"],
  ])("says %s", (word, criu) => {
    expect(probe(criu).said).toBe(word);
  });

  it("says that CRIU fails, and why", () => {
    const { said, errors } = probe("echo 'Error: no such kernel'; exit 1");
    expect(said).toBe("fails");
    expect(errors).toContain("no such kernel");
  });

  it("leaves no process behind, neither CRIU's children nor the one to be dumped", async () => {
    const file = join(testFolder(), "pids");
    expect(probe(`echo $$ $3 >>${file}; sleep 300 & echo $! >>${file}; wait`).said).toBe("hangs");
    const pids = readFileSync(file, "utf8").trim().split(/\s+/).map(Number);
    expect(pids.length).toBe(6);
    await eventually("all are gone", () => !pids.some(isAlive));
  });
});
