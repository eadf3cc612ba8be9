#!/usr/bin/env node
// The published package's command. This file is parsed by any Node.js: what it imports needs a newer one.
import module from "node:module";

const NEEDED = [22, 13];
const [major, minor] = process.versions.node.split(".").map(Number);
if (major < NEEDED[0] || (major === NEEDED[0] && minor < NEEDED[1])) {
  process.stderr.write(
    `acme needs Node.js ${NEEDED.join(".")} or newer; this is ${process.versions.node}. Install one from https://nodejs.org, or with your version manager.\n`,
  );
  process.exit(1);
}
// Compiled code is cached between runs, which halves the time that `--help` takes.
module.enableCompileCache?.();
await import("../lib/acme.js");
