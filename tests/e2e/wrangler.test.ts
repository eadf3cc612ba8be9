import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterEach, expect, it } from "vitest";
import { eventually } from "../support/eventually.ts";
import { ROOT } from "../support/local-server.ts";

const WRANGLER = join(ROOT, "node_modules/wrangler/bin/wrangler.js");
const env = { ...process.env, CI: "1", WRANGLER_SEND_METRICS: "false" };

let development: ChildProcess | undefined;
afterEach(async () => {
  if (!development || development.exitCode !== null) return;
  const exited = once(development, "exit");
  development.kill("SIGINT");
  await exited;
});

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, "close");
  return port;
}

it("wrangler deploy --dry-run bundles the Worker with all of its bindings", async () => {
  const folder = mkdtempSync(join(tmpdir(), "acme-dry-run-"));
  try {
    const { stdout } = await promisify(execFile)(
      process.execPath,
      [WRANGLER, "deploy", "--dry-run", "--outdir", folder],
      { cwd: ROOT, env },
    );
    for (const binding of ["QUEUE (QueueObject)", "DB (acme)", "BUNDLES (acme-bundles)", "ASSETS"]) {
      expect(stdout).toContain(`env.${binding}`);
    }
    expect(existsSync(join(folder, "index.js"))).toBe(true);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

it("wrangler dev starts without any previous step, on D1, and accepts runs", async () => {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  let output = "";
  development = spawn(process.execPath, [WRANGLER, "dev", "--ip", "127.0.0.1", "--port", String(port)], {
    cwd: ROOT,
    env,
    stdio: ["ignore", "pipe", "pipe"],
  });
  for (const stream of [development.stdout, development.stderr]) {
    stream?.on("data", (data) => {
      output += data;
    });
  }
  const health = await eventually("wrangler dev answers", async () => {
    if (development?.exitCode !== null) throw new Error(output);
    const response = await fetch(`${url}/healthz`).catch(() => undefined);
    return response && { status: response.status, body: await response.json() };
  });
  expect(health).toEqual({
    status: 200,
    body: {
      ok: true,
      worker: "ok",
      objects: "ok",
      database: "ok",
      configuration: "ok",
      blobs: "ok",
      hosts: "none is connected",
      mail: "not configured",
    },
  });

  const secrets = readFileSync(join(ROOT, ".dev.vars"), "utf8");
  const adminToken = /^ADMIN_TOKEN=(.+)$/m.exec(secrets)?.[1];
  const unique = crypto.randomUUID().replaceAll("-", "");
  const secretKey = `tr_prod_${unique}`;
  const call = async (path: string, token: string | undefined, body: unknown) => {
    const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
    const response = await fetch(url + path, { method: "POST", headers, body: JSON.stringify(body) });
    return { status: response.status, body: (await response.json()) as { id?: string } };
  };
  const created = await call("/admin/v1/bootstrap", adminToken, {
    organization: { slug: unique, name: unique },
    project: { ref: `proj_${unique}`, name: unique },
    secretKeys: { prod: secretKey },
    accessToken: `tr_pat_${unique}`,
  });
  expect(created.status).toBe(200);
  // Nothing is deployed: the run exists, and waits for the first version.
  const { status, body } = await call("/api/v1/tasks/hello/trigger", secretKey, { payload: 1 });
  expect(status).toBe(200);
  const listed = await eventually("the run is in D1", async () => {
    const response = await fetch(`${url}/api/v1/runs`, { headers: { authorization: `Bearer ${secretKey}` } });
    return ((await response.json()) as { data: { id: string; status: string }[] }).data[0];
  });
  expect(listed).toMatchObject({ id: body.id, status: "PENDING_VERSION" });
});
