/** `npm run typecheck`: types of every package. */
import { fileURLToPath } from "node:url";
import { runChecks, typeChecks } from "./test/checks.ts";

const { failed } = runChecks(typeChecks(fileURLToPath(new URL("..", import.meta.url))));
process.exitCode = failed === 0 ? 0 : 1;
