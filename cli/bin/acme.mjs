#!/usr/bin/env node
// This file runs on any Node.js from 18 on. The command line itself needs the project's newer Node.js.
import module from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { ensureInstalled, ROOT, runProjectNode } from "../../scripts/toolchain.mjs";

try {
  ensureInstalled();
} catch (error) {
  process.stderr.write(`${error.message}\n`);
  process.exit(1);
}
const main = join(ROOT, "cli/src/main.ts");
// Compiled code is cached between runs, which halves the time that `--help` takes.
module.enableCompileCache?.();
// A Node.js that runs TypeScript needs no second process.
if (process.features.typescript === "strip") await import(pathToFileURL(main).href);
else runProjectNode([main, ...process.argv.slice(2)]);
