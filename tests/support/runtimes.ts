import { execFile } from "node:child_process";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { promisify } from "node:util";
import { ROOT } from "./local-server.ts";

const run = promisify(execFile);
/** Bun and Deno have 100 MB each: whoever tests with them has them installed here, and nobody else. */
const FOLDER = join(ROOT, "node_modules/.cache/runtimes");
const ARCH = process.arch === "arm64" ? "arm64" : "x64";
const PACKAGES = {
  Bun: {
    name: `@oven/bun-linux-${ARCH === "arm64" ? "aarch64" : "x64"}`,
    version: "1.4.5",
    binary: "bin/bun",
  },
  Deno: { name: `@deno/linux-${ARCH}-glibc`, version: "2.9.6", binary: "deno" },
} as const;

export type Runtime = keyof typeof PACKAGES | "Node.js" | "workerd";

/** Path of a runtime's program, which is installed from npm if it is not there. */
async function installed(runtime: keyof typeof PACKAGES): Promise<string> {
  const { name, version, binary } = PACKAGES[runtime];
  const path = join(FOLDER, `${runtime}-${version}`, "node_modules", name, binary);
  if (!existsSync(path)) {
    const prefix = join(FOLDER, `${runtime}-${version}`);
    mkdirSync(prefix, { recursive: true });
    writeFileSync(join(prefix, "package.json"), '{ "private": true }\n');
    await run(
      "npm",
      ["install", "--no-audit", "--no-fund", "--no-save", "--ignore-scripts", `${name}@${version}`],
      {
        cwd: prefix,
      },
    );
  }
  return path;
}

/**
 * What a module prints. It is one file without imports, whose default export has a function `test`: workerd calls that, and
 * in the others it is called here.
 */
export async function outputOf(runtime: Runtime, module: string, folder: string): Promise<string> {
  writeFileSync(join(folder, "module.mjs"), module);
  writeFileSync(join(folder, "main.mjs"), 'import module from "./module.mjs";\nawait module.test();\n');
  const options = { cwd: folder, timeout: 60_000 };
  switch (runtime) {
    case "Node.js":
      return (await run(process.execPath, ["main.mjs"], options)).stdout;
    case "Bun":
      return (await run(await installed("Bun"), ["main.mjs"], options)).stdout;
    case "Deno":
      return (await run(await installed("Deno"), ["run", "--allow-net", "--allow-env", "main.mjs"], options))
        .stdout;
    case "workerd": {
      writeFileSync(join(folder, "config.capnp"), WORKERD);
      const workerd = createRequire(import.meta.url).resolve("workerd/bin/workerd");
      const { stdout, stderr } = await run(workerd, ["test", "config.capnp"], options);
      return stdout + stderr;
    }
  }
}

const WORKERD = `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "main", worker = .worker),
    (name = "internet", network = (allow = ["public", "private"])),
  ],
);
const worker :Workerd.Worker = (
  modules = [(name = "module.mjs", esModule = embed "module.mjs")],
  compatibilityDate = "2026-11-02",
);
`;
