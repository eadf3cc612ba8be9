import { describe, expect, it } from "vitest";
import { configurationProblem } from "../src/auth/configuration.ts";
import { costOf, parsePrices } from "../src/views/run-cost.ts";
import { call, deploy, newProject } from "./client.ts";
import { report, start } from "./host.ts";

describe("a price list", () => {
  it("is that of the configuration, or the default one", () => {
    const run = { machine: "small-2x", usageMs: 2_000, startedAt: 1 };
    expect(costOf(run, { "small-2x": 3, run: 0.5 })).toEqual({ costInCents: 6, baseCostInCents: 0.5 });
    expect(costOf(run, {})).toEqual({ costInCents: 0, baseCostInCents: 0 });
    expect(costOf({ ...run, startedAt: null }, { run: 1 }).baseCostInCents).toBe(0);
    expect(costOf({ ...run, machine: "unheard-of" }, { run: 1 }).costInCents).toBe(0);
    expect(parsePrices('{"micro":1}')).toEqual({ micro: 1 });
    expect(parsePrices("")).toMatchObject({ "small-1x": 0.00338 });
  });

  it.each(["{", "[]", "1", '{"huge":1}', '{"micro":-1}', '{"micro":"1"}', '{"micro":1e999}'])(
    "is refused at the start: %s",
    (text) => {
      expect(parsePrices(text)).toHaveProperty("problem");
      const secrets = {
        HOST_TOKEN: "x".repeat(40),
        ADMIN_TOKEN: "x".repeat(40),
        SIGNING_KEY: "x".repeat(40),
      };
      expect(configurationProblem(secrets)).toBeNull();
      expect(configurationProblem({ ...secrets, MACHINE_PRICES: text })).toContain("MACHINE_PRICES");
    },
  );

  it("gives the cost of a run", async () => {
    const project = await newProject();
    await deploy(project, ["hello"]);
    const { body } = await call<{ id: string }>("POST", "/api/v1/tasks/hello/trigger", project.prod, {
      options: { machine: "large-1x" },
    });
    const shown = async () => (await call("GET", `/api/v3/runs/${body.id}`, project.prod)).body;
    expect(await shown()).toMatchObject({ costInCents: 0, baseCostInCents: 0 });
    const { token } = await start(body.id);
    const outcome = { type: "success", output: "1", outputType: "application/json" };
    await report({
      completed: [{ runId: body.id, token, completedAt: Date.now(), usageMs: 10_000, outcome }],
    });
    expect(await shown()).toMatchObject({ durationMs: 10_000, costInCents: 0.34, baseCostInCents: 0.0025 });
  });
});
