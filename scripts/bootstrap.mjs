/**
 * The entry point of the scripts in package.json: installs what is missing, then runs the command with the
 * project's own Node.js. `node scripts/bootstrap.mjs start|test [arguments]`, or a script's path instead of a
 * name.
 */
import { join } from "node:path";
import { ensureInstalled, ROOT, runProjectNode } from "./toolchain.mjs";

const COMMANDS = {
  start: ["cli/src/main.ts", "server", "--example"],
  test: ["scripts/test.ts"],
};

const [name, ...args] = process.argv.slice(2);
if (!name) {
  process.stderr.write(
    `Usage: node scripts/bootstrap.mjs ${Object.keys(COMMANDS).join("|")}|SCRIPT [arguments]\n`,
  );
  process.exit(2);
}
try {
  ensureInstalled();
} catch (error) {
  process.stderr.write(`${error.message}\n`);
  process.exit(1);
}
const [script, ...fixed] = COMMANDS[name] ?? [name];
runProjectNode([join(ROOT, script), ...fixed, ...args]);
