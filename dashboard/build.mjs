/**
 * Builds the dashboard into `build/` when its sources changed since the last build; otherwise takes milliseconds. Plain
 * JavaScript: `npm start`, `npm run deploy` and wrangler run it before anything is compiled. `--force` builds always.
 */
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";

const HERE = dirname(fileURLToPath(import.meta.url));
const ROOT = dirname(HERE);
const BUILD = join(HERE, "build");
const WORK = join(HERE, ".svelte-kit");
const OUT = join(WORK, "out");
const STAMP = join(WORK, "built-from");
const HEADERS = join(ROOT, "workers/src/http/security-headers.json");
const LOCK = join(HERE, ".build.lock");
/** What the result depends on. The lock file stands for the versions of all libraries. */
const INPUTS = [
  join(HERE, "src"),
  join(HERE, "static"),
  join(HERE, "package.json"),
  join(HERE, "vite.config.ts"),
  join(HERE, "build.mjs"),
  HEADERS,
  join(ROOT, "package-lock.json"),
  join(ROOT, "sdk/src"),
];

function* filesUnder(path) {
  let entries;
  try {
    entries = readdirSync(path, { withFileTypes: true });
  } catch {
    yield path;
    return;
  }
  for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1)))
    yield* filesUnder(join(path, entry.name));
}

function hashOfInputs() {
  const hash = createHash("sha256");
  for (const input of INPUTS) {
    for (const file of filesUnder(input)) {
      hash.update(relative(ROOT, file)).update("\0").update(readFileSync(file)).update("\0");
    }
  }
  return hash.digest("hex");
}

const isCurrent = (hash) =>
  existsSync(join(BUILD, "index.html")) && existsSync(STAMP) && readFileSync(STAMP, "utf8") === hash;

/** One build at a time. A lock left by a process that died is taken over. */
function withLock(action) {
  for (;;) {
    try {
      mkdirSync(LOCK);
      break;
    } catch (error) {
      if (error.code !== "EEXIST") throw error;
    }
    if (!ownerLives()) rmSync(LOCK, { recursive: true, force: true });
    else Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 200);
  }
  try {
    writeFileSync(join(LOCK, "pid"), String(process.pid));
    return action();
  } finally {
    rmSync(LOCK, { recursive: true, force: true });
  }
}

function ownerLives() {
  const alive = () => {
    process.kill(Number(readFileSync(join(LOCK, "pid"), "utf8")), 0);
    return true;
  };
  try {
    return alive();
  } catch (error) {
    if (error.code === "EPERM") return true;
    if (error.code !== "ENOENT") return false;
    // No pid yet: the owner is between making the folder and writing it, or died there; a second look decides.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 500);
    return existsSync(join(LOCK, "pid"));
  }
}

/**
 * Moves the page's one inline script into a file of its own: the policy `script-src 'self'` then needs no hash, and is
 * the same text in the Worker, in `_headers` and in every build.
 */
function moveInlineScript() {
  const path = join(OUT, "index.html");
  const page = readFileSync(path, "utf8");
  const scripts = [...page.matchAll(/<script>([\s\S]*?)<\/script>/g)];
  if (scripts.length !== 1)
    throw new Error(`index.html has ${scripts.length} inline scripts; one was expected`);
  const [whole, code] = scripts[0];
  const name = `_app/immutable/boot.${createHash("sha256").update(code).digest("hex").slice(0, 10)}.js`;
  writeFileSync(join(OUT, name), code);
  writeFileSync(path, page.replace(whole, `<script src="/${name}"></script>`).replace(/ style="[^"]*"/g, ""));
}

/** Compressed size, in bytes, of the JavaScript that each page needs before it can be used. */
function firstLoads() {
  const client = join(WORK, "output/client");
  const manifest = JSON.parse(readFileSync(join(client, ".vite/manifest.json"), "utf8"));
  const sizes = new Map();
  const sizeOf = (file) => {
    if (!sizes.has(file)) sizes.set(file, gzipSync(readFileSync(join(client, file)), { level: 9 }).length);
    return sizes.get(file);
  };
  const closure = (keys) => {
    const seen = new Set();
    const visit = (key) => {
      if (seen.has(key)) return;
      seen.add(key);
      for (const next of manifest[key].imports ?? []) visit(next);
    };
    for (const key of keys) visit(key);
    return [...seen].map((key) => manifest[key].file).filter((file) => file.endsWith(".js"));
  };
  const entries = Object.keys(manifest).filter(
    (key) => manifest[key].isEntry || /entry\/(start|app)/.test(key),
  );
  const nodes = Object.keys(manifest).filter((key) => /nodes\/\d+\.js$/.test(key));
  const sourceOf = (key) => readFileSync(join(HERE, key), "utf8");
  const layouts = nodes.filter((key) => /\+layout(\.svelte|\.[jt]s)/.test(sourceOf(key)));
  const pages = nodes.filter((key) => !layouts.includes(key));
  const shared = entries.filter((key) => !nodes.includes(key));
  return pages.map((page) => ({
    page: /routes\/([^"']*)\+page/.exec(sourceOf(page))?.[1] || "/",
    bytes: closure([...shared, ...layouts, page]).reduce((sum, file) => sum + sizeOf(file), 0),
  }));
}

function build() {
  const started = Date.now();
  const kit = dirname(createRequire(import.meta.url).resolve("@sveltejs/kit/package.json"));
  const vite = join(dirname(createRequire(import.meta.url).resolve("vite/package.json")), "bin/vite.js");
  for (const args of [
    [join(kit, "svelte-kit.js"), "sync"],
    [vite, "build", "--logLevel", "error"],
  ]) {
    const { status, stdout, stderr } = spawnSync(process.execPath, args, {
      cwd: HERE,
      encoding: "utf8",
      env: { ...process.env, NODE_ENV: "production" },
    });
    if (status !== 0) throw new Error(`The dashboard could not be built:\n${stdout}${stderr}`);
  }
  moveInlineScript();
  const loads = firstLoads().sort((a, b) => b.bytes - a.bytes);
  writeFileSync(join(WORK, "first-loads.json"), JSON.stringify(loads, null, 2));
  const headers = Object.entries(JSON.parse(readFileSync(HEADERS, "utf8"))).map(
    ([name, value]) => `  ${name}: ${value}\n`,
  );
  const immutable = "/_app/immutable/*\n  cache-control: public, max-age=31536000, immutable\n";
  writeFileSync(join(OUT, "_headers"), `/*\n${headers.join("")}\n${immutable}`);
  rmSync(BUILD, { recursive: true, force: true });
  cpSync(OUT, BUILD, { recursive: true });
  const [largest] = loads;
  const kb = (largest.bytes / 1024).toFixed(1);
  process.stdout.write(
    `Dashboard built in ${((Date.now() - started) / 1000).toFixed(1)} s; largest first load: ${kb} KB of compressed JavaScript (${largest.page})\n`,
  );
}

try {
  const hash = hashOfInputs();
  if (process.argv.includes("--force") || !isCurrent(hash)) {
    withLock(() => {
      if (!process.argv.includes("--force") && isCurrent(hash)) return;
      build();
      writeFileSync(STAMP, hash);
    });
  }
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : error}\n`);
  process.exit(1);
}
