import { expect, it } from "vitest";
import { workerdConfig } from "../src/workerd-config.ts";

const config = {
  address: "127.0.0.1:8787",
  module: "worker.mjs",
  compatibilityDate: "2026-11-02",
  compatibilityFlags: ["nodejs_compat"],
  objects: [{ binding: "QUEUE", className: "QueueObject" }],
  secrets: { HOST_TOKEN: "secrets/HOST_TOKEN" },
  vars: { GREETING: 'say "hi" \\ grüß' },
  networks: ["public", "10.0.0.0/8"],
  alertNetworks: ["public"],
  certificates: ["-----BEGIN\nCERTIFICATE-----"],
  objectsPath: "/data/objects",
  blobsPath: "/data/blobs",
};

it("binds objects, secrets from files, variables and disks", () => {
  const text = workerdConfig(config);
  expect(text).toContain('(className = "QueueObject", uniqueKey = "acme-QueueObject", enableSql = true)');
  expect(text).toContain('(name = "QUEUE", durableObjectNamespace = "QueueObject")');
  expect(text).toContain('(name = "HOST_TOKEN", text = embed "secrets/HOST_TOKEN")');
  expect(text).toContain('(name = "objects", disk = (path = "/data/objects", writable = true))');
  expect(text).toContain('(name = "BLOBS", service = "blobs")');
  expect(text).not.toContain("DASHBOARD");
  expect(text).toContain('(name = "internet", network = (allow = ["public", "10.0.0.0/8"], tlsOptions =');
  expect(text).toContain(String.raw`trustedCertificates = ["-----BEGIN\x0aCERTIFICATE-----"]`);
});

it("escapes what is not plain text", () => {
  expect(workerdConfig(config)).toContain(String.raw`"say \"hi\" \\ gr\xc3\xbc\xc3\x9f"`);
});

it("serves the dashboard if it is built", () => {
  const text = workerdConfig({ ...config, dashboardPath: "/app/dashboard/build" });
  expect(text).toContain('(name = "DASHBOARD", service = "dashboard")');
  expect(text).toContain('(name = "dashboard", disk = (path = "/app/dashboard/build"))');
});

it("binds a ClickHouse, which may be in a network where the Worker can reach nothing else", () => {
  expect(workerdConfig(config)).not.toContain("clickhouse");
  const plain = workerdConfig({ ...config, clickhouseUrl: "http://10.1.2.3:8123" });
  expect(plain).toContain('(name = "CLICKHOUSE", service = "clickhouse")');
  expect(plain).toContain('(name = "clickhouse", external = (address = "10.1.2.3:8123", http = ()))');
  const secure = workerdConfig({ ...config, clickhouseUrl: "https://clickhouse.example" });
  expect(secure).toContain(
    'address = "clickhouse.example:443", https = (tlsOptions = (trustBrowserCas = true,',
  );
});

it("tells the only process nothing of others, and each of several where the others are", () => {
  expect(workerdConfig(config)).not.toMatch(/SHARD|PLACEMENTS|ShardEntrypoint|unix:/);
  const { address: _, ...rest } = config;
  const sockets = ["generated/worker-0.sock", "generated/worker-1.sock", "generated/worker-2.sock"];
  const text = workerdConfig({
    ...rest,
    shard: { index: 1, sockets, placements: "generated/placements.sock" },
  });
  expect(text).toContain('(name = "http", http = (), service = "main")');
  expect(text).toContain('(name = "SHARD", text = "1")');
  expect(text).toContain('external = (address = "unix:generated/placements.sock", http = ())');
  expect(text.match(/\(name = "SHARD_\d", service = "shard-\d"\)/g)).toEqual([
    '(name = "SHARD_0", service = "shard-0")',
    '(name = "SHARD_2", service = "shard-2")',
  ]);
  expect(text).toContain(
    '(name = "peers", address = "unix:generated/worker-1.sock", http = (capnpConnectHost = "rpc"), service = (name = "main", entrypoint = "ShardEntrypoint"))',
  );
});
