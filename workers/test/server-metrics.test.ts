import { expect, it } from "vitest";
import { prometheusText } from "../src/health/prometheus-text.ts";
import { ADMIN_TOKEN, call, newProject } from "./client.ts";

it("writes labels so that nothing in them ends them", () => {
  const samples = [{ labels: { host: 'a"b\\c\nd' }, value: 1.5 }];
  expect(prometheusText([{ name: "acme_x", help: "One\nline.", type: "gauge", samples }])).toBe(
    '# HELP acme_x One\\nline.\n# TYPE acme_x gauge\nacme_x{host="a\\"b\\\\c\\nd"} 1.5\n',
  );
});

it("serves the server's metrics to its administrator, without names of tenants", async () => {
  const project = await newProject();
  const { status, body, headers } = await call<string>("GET", "/metrics", ADMIN_TOKEN);
  expect(status).toBe(200);
  expect(headers.get("content-type")).toBe("text/plain; version=0.0.4; charset=utf-8");
  for (const line of [
    'acme_up{part="objects"} 1',
    'acme_up{part="database"} 1',
    'acme_up{part="configuration"} 1',
    "# TYPE acme_worker_answers_total counter",
    "# TYPE acme_hosts gauge",
  ])
    expect(body).toContain(`${line}\n`);
  expect(body).toMatch(/^acme_worker_answers_total\{status="2xx"\} [1-9]/m);
  expect(body).toMatch(/^acme_runs_ended_5m\{status="failed"\} \d+$/m);
  expect(body).not.toContain(project.ref);
  expect((await call("GET", "/metrics", project.prod)).status).toBe(401);
});
