/**
 * Makes a bundled Worker count what it does: `node instrument.ts WORKER.mjs`. It answers `GET /__counts` with
 * the counts since the last time, as JSON. It changes the text of the bundle, so the product contains no code
 * for it.
 */
import { readFileSync, writeFileSync } from "node:fs";

/** Runs in the Worker, before its code. */
const PRELUDE = `
import { DurableObject as __DurableObject } from "cloudflare:workers";
const __counts = {};
const __count = (what, n = 1) => void (__counts[what] = (__counts[what] ?? 0) + n);
/** Maps each storage to the class of its object. */
const __classes = new WeakMap();
class __CountedObject extends __DurableObject {
  constructor(ctx, env) {
    super(ctx, env);
    __classes.set(ctx.storage, new.target.name);
  }
}
const __used = (what, storage) => {
  __count(what);
  __count(what + " of " + (__classes.get(storage) ?? "others"));
  return storage;
};
const __taken = () => {
  const taken = JSON.stringify(__counts);
  for (const what of Object.keys(__counts)) delete __counts[what];
  return taken;
};
const __served = (fetch) => (request, ...rest) => {
  const { pathname } = new URL(request.url);
  if (pathname === "/__counts") return new Response(__taken());
  __count("HTTP " + pathname.replace(/^\\/(?:api|engine)\\/v\\d+\\//, "").replace(/^tasks\\/[^/]+/, "tasks/:id").replace(/(?:run|deployment)_\\w+/, ":id"));
  return fetch(request, ...rest);
};
const __calls = (namespace, name) => ({
  getByName: (of) =>
    new Proxy(namespace.getByName(of), {
      get: (stub, method) => {
        const member = stub[method];
        if (typeof method !== "string" || typeof member !== "function") return member;
        return (...args) => {
          const call = name.toLowerCase() + "." + method;
          __count("call " + call);
          __count("characters of call " + call, JSON.stringify(args)?.length ?? 0);
          return stub[method](...args);
        };
      },
    }),
});
const __setTimeout = globalThis.setTimeout;
globalThis.setTimeout = (...args) => {
  __count("timers set");
  return __setTimeout(...args);
};
`;

/** What is counted where. Each must be in the bundle: otherwise the counts would silently lack it. */
const PLACES: [what: string, place: RegExp, counted: string][] = [
  ["HTTP requests", /\b(app\d*)\.fetch\((request\d*, env\d*, context\d*)\)/g, "__served($1.fetch)($2)"],
  [
    "calls of objects",
    /(function objectOf\d*\(\w+, (\w+), (\w+), (\w+)\) \{\s*const \w+ = )\3\.getByName\(\4\)/g,
    "$1__calls($3, $2).getByName($4)",
  ],
  ["objects", /\bextends DurableObject\d* /g, "extends __CountedObject "],
  ["statements", /(?<![\w$#])((?:#?[\w$]+\.)*#?storage)\.sql\.exec\(/g, '__used("statements", $1).sql.exec('],
  [
    "transactions",
    /(?<![\w$#])((?:#?[\w$]+\.)*#?storage)\.transactionSync\(/g,
    '__used("transactions", $1).transactionSync(',
  ],
  ["alarms", /(this\.#storage|this\.ctx\.storage)\.setAlarm\(/g, '(__count("alarms set"), $1).setAlarm('],
];

const file = process.argv[2] as string;
let text = readFileSync(file, "utf8");
// A server that restarts workerd starts the same file again.
if (text.startsWith(PRELUDE)) process.exit(0);
for (const [what, place, counted] of PLACES) {
  const before = text;
  text = text.replace(place, counted);
  if (text === before)
    throw new Error(`Nothing in ${file} looks like ${what}: adapt bench/counts/instrument.ts.`);
}
writeFileSync(file, PRELUDE + text);
