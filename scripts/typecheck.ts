/** `npm run typecheck`: types of every package. */
import { fileURLToPath } from "node:url";
import { runCheck, typeChecks } from "./test/checks.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
for (const check of typeChecks(ROOT)) {
  const { ok, output } = await runCheck(ROOT, check);
  console.log(`${ok ? "✓" : "✗"} ${check.name}`);
  if (!ok) {
    console.log(output.trim());
    process.exitCode = 1;
  }
}
