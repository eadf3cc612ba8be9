/** The client part runs where there are only `fetch` and Web APIs. */
import { execFile } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";
import { expect, test } from "vitest";
import { apiServer } from "./support/api.ts";
import { folder, source } from "./support/bundle.ts";

const bundled = (entry: string, format: "esm" | "iife", platform: "browser" | "node", minify = false) =>
  build({
    entryPoints: [source(entry)],
    bundle: true,
    write: false,
    metafile: true,
    format,
    platform,
    minify,
    globalName: "acme",
  });

test("the SDK needs no module of Node and no zod", async () => {
  const { metafile, outputFiles } = await bundled("index.ts", "esm", "browser", true);
  const inputs = Object.keys(metafile.inputs);
  expect(inputs.filter((path) => path.includes("node_modules/zod/"))).toEqual([]);
  expect(Object.values(metafile.outputs).flatMap((output) => output.imports)).toEqual([]);
  // Minified, as a page loads it, so that documentation in the source costs nothing.
  expect(outputFiles[0]!.contents.length).toBeLessThan(118_000);
});

test("what a page loads stays small, and has no zod", async () => {
  // Kilobytes of gzip, without the framework: the sizes that the README states.
  const limits = { live: 6.4, svelte: 15.2, react: 24.5 };
  for (const [entry, limit] of Object.entries(limits)) {
    const { outputFiles, metafile } = await build({
      entryPoints: [source(`${entry}/index.ts`)],
      bundle: true,
      minify: true,
      write: false,
      metafile: true,
      format: "esm",
      platform: "browser",
      external: ["react", "svelte"],
    });
    expect(Object.keys(metafile.inputs).filter((path) => path.includes("node_modules/zod/"))).toEqual([]);
    expect(gzipSync(outputFiles[0]!.contents).length, entry).toBeLessThan(limit * 1_000);
  }
});

test("the runtime loads no zod, which would slow its start", async () => {
  for (const entry of ["runtime/main.ts", "runtime/indexer.ts"]) {
    const { metafile } = await bundled(entry, "esm", "node");
    expect(Object.keys(metafile.inputs).filter((path) => path.includes("node_modules/zod/"))).toEqual([]);
  }
});

test("triggers from a context that has nothing but the Web's APIs", async () => {
  const server = await apiServer(() => ({ body: { id: "run_1" } }));
  const { outputFiles } = await bundled("index.ts", "iife", "browser");
  const script = join(folder(), "page.cjs");
  // A fresh V8 context has only the language; the APIs of a page are added by name.
  await writeFile(
    script,
    `const vm = require("node:vm");
     const web = { fetch, URL, URLSearchParams, Headers, Request, Response, AbortController, AbortSignal, TextEncoder,
       crypto, performance, setTimeout, clearTimeout, structuredClone, console };
     const page = vm.createContext(web);
     vm.runInContext(${JSON.stringify(outputFiles[0]!.text)}, page);
     vm.runInContext(\`(async () => {
       acme.configure({ baseURL: ${JSON.stringify(server.url)}, accessToken: "tr_dev_x" });
       const handle = await acme.tasks.trigger("t", { at: new Date(0) }, { idempotencyKey: "k" });
       await acme.auth.withAuth({ accessToken: "other" }, () => acme.runs.cancel(handle));
       return handle.id;
     })()\`, page).then(console.log);`,
  );
  const { stdout } = await promisify(execFile)(process.execPath, [script]);
  expect(stdout.trim()).toBe("run_1");
  expect(server.received.map((request) => request.headers.authorization)).toEqual([
    "Bearer tr_dev_x",
    "Bearer other",
  ]);
  expect(server.received[0]!.body).toMatchObject({ options: { payloadType: "application/super+json" } });
});
