import { expect, it } from "vitest";
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

it("gives Docker Compose a service that stops in time", () => {
  const file = composeFile(service);
  expect(file).toContain('"host", "--data", "/var/lib/acme-host", "--drain-ms", "600000"]');
  expect(file).toContain("stop_grace_period: 630s");
  expect(file).toContain("/var/lib/acme-host:/var/lib/acme-host");
});
