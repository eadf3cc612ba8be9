#!/usr/bin/env node
// This file runs on any Node.js from 18 on. It starts the command line with the project's own, newer Node.js.
import { join } from "node:path";
import { ensureInstalled, ROOT, runProjectNode } from "../../scripts/toolchain.mjs";

try {
  ensureInstalled();
} catch (error) {
  process.stderr.write(`${error.message}\n`);
  process.exit(1);
}
runProjectNode([join(ROOT, "cli/src/main.ts"), ...process.argv.slice(2)]);
