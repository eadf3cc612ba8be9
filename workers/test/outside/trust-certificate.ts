import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const FOLDER = "acme-certificates-";

/**
 * Miniflare reads this file when it is loaded, so that the Worker of the tests trusts the tests' own mail
 * servers.
 */
function trustCertificate(path: string): void {
  const { NODE_EXTRA_CA_CERTS: others } = process.env;
  if (others?.includes(FOLDER)) return;
  const certificates = [...(others ? [others] : []), path].map((each) => readFileSync(each, "utf8"));
  const all = join(mkdtempSync(join(tmpdir(), FOLDER)), "trusted.pem");
  writeFileSync(all, certificates.join("\n"));
  process.env.NODE_EXTRA_CA_CERTS = all;
}

trustCertificate(join(import.meta.dirname, "localhost-certificate.pem"));
