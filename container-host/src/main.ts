import { runHost } from "./program.ts";

await runHost(process.argv.slice(2));
