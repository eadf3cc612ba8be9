import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { composeFile, systemdUnit } from "../src/host-files.ts";

const service = { apiUrl: "https://acme.example.com", args: ["--drain-ms", "600000"] };

it("gives systemd a unit that drains for as long as the host may", () => {
  const lines = systemdUnit(service).split("\n");
  expect(lines).toContain("Environment=ACME_API_URL=https://acme.example.com");
  expect(lines).toContain("LoadCredential=host-token:/etc/acme/host-token");
  expect(lines).toContain("TimeoutStopSec=630");
  expect(lines.find((line) => line.startsWith("ExecStart="))).toMatch(
    / host --data \/var\/lib\/acme-host --drain-ms 600000$/,
  );
});

it("quotes what systemd would expand or split", () => {
  const unit = systemdUnit({ apiUrl: "https://a/%20", args: ["--checkpoint-dir", "/my $folder"] });
  expect(unit).toContain("Environment=ACME_API_URL=https://a/%%20");
  expect(unit).toMatch(/--checkpoint-dir "\/my \$\$folder"$/m);
});

it("gives no unit for a program that a package manager may delete", () => {
  for (const path of [
    "/root/.npm/_npx/1f/node_modules/.bin/acme",
    "/root/.cache/pnpm/dlx/3a/b/node_modules/x.mjs",
  ])
    expect(() => systemdUnit(service, path)).toThrow("npm install --global @acme/cli@");
  expect(systemdUnit(service, "/usr/local/bin/acme")).toContain(" /usr/local/bin/acme host --data");
});

it("gives Docker Compose a service that stops in time", () => {
  const file = composeFile(service);
  // The host, and no package manager, receives the signal.
  expect(file).toMatch(
    /command: \["sh", "-c", ".*exec acme host \\"\$\$@\\"", "acme-host", "--data", "\/var\/lib\/acme-host", "--drain-ms", "600000"\]/,
  );
  expect(file).toContain("stop_grace_period: 630s");
  expect(file).toContain("/var/lib/acme-host:/var/lib/acme-host");
});

const has = (program: string): boolean => spawnSync(program, ["--version"]).status === 0;

/** Writes a file into a folder of its own, and runs a program there. Returns its exit code and what it printed. */
function check(name: string, text: string, program: string, args: string[]): [number | null, string] {
  const folder = mkdtempSync(join(tmpdir(), "acme-host-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  writeFileSync(join(folder, name), text);
  writeFileSync(join(folder, "host-token"), "");
  const { status, stdout, stderr } = spawnSync(program, args, { cwd: folder, encoding: "utf8" });
  return [status, stdout + stderr];
}

it.skipIf(!has("systemd-analyze"))(
  "writes a unit that systemd finds nothing wrong with",
  { timeout: 60_000 },
  () => {
    const unit = systemdUnit({
      apiUrl: "https://a/%20$x",
      args: ["--drain-ms", "600000", "--checkpoint-dir", "/my $folder"],
    });
    const name = "acme-host.service";
    expect(check(name, unit, "systemd-analyze", ["verify", "--man=no", `./${name}`])).toEqual([0, ""]);
  },
);

it.skipIf(!has("docker-compose"))(
  "writes a file that Compose reads as it was meant",
  { timeout: 60_000 },
  () => {
    const file = composeFile({
      apiUrl: "https://a/$x",
      args: ["--drain-ms", "600000", "--checkpoint-dir", "/$y"],
    });
    const [status, read] = check("compose.yaml", file, "docker-compose", ["config"]);
    expect(status).toBe(0);
    // It shows `$` as it has to be written.
    expect(read).toContain("ACME_API_URL: https://a/$$x");
    expect(read).toContain("- /$$y");
    expect(read).toContain("stop_grace_period: 630s");
  },
);
