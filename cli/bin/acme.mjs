#!/usr/bin/env node
// Runs on any Node.js from 18 on: the command line itself needs the project's newer one.
import { join } from "node:path";
import { ensureInstalled, ROOT, runProjectNode } from "../../scripts/toolchain.mjs";

try {
  ensureInstalled();
} catch (error) {
  process.stderr.write(`${error.message}\n`);
  process.exit(1);
}
runProjectNode([join(ROOT, "cli/src/main.ts"), ...process.argv.slice(2)]);
