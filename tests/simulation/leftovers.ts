/** Prints how many of the worlds of a few seeds are still in memory. `node leftovers.ts SEEDS` */
import { queryObjects } from "node:v8";
import "./register.ts";
import { World } from "./world.ts";

const { simulate } = await import("./simulate.ts");

for (let seed = 1; seed <= Number(process.argv[2]); seed++) await simulate(seed);
// References of the last event on the stack are gone in the next turn.
await new Promise((resolve) => void setImmediate(resolve));
console.log(queryObjects(World, { format: "count" }));
