import { beforeAll, describe, expect, it } from "vitest";
import { call, newProject, type Project } from "./client.ts";

let project: Project;
beforeAll(async () => {
  project = await newProject();
});

const list = (key: string, address: string) =>
  call("GET", "/api/v1/runs", key, undefined, { "x-test-address": address });

describe("wrong keys from one address", () => {
  it("are refused before they are looked up, once there were too many", async () => {
    const [attacker, other] = ["10.0.0.1", "10.0.0.2"];
    // A key that is in use at that address.
    expect((await list(project.prod, attacker)).status).toBe(200);
    const statuses = new Set<number>();
    for (let guess = 0; guess < 300 && !statuses.has(429); guess++) {
      statuses.add((await list(`tr_prod_guess${guess}`, attacker)).status);
    }
    expect([...statuses]).toEqual([401, 429]);
    const refused = await list("tr_prod_guess", attacker);
    expect(refused).toMatchObject({ status: 429, body: { code: "too_many_wrong_keys" } });
    expect(Number(refused.headers.get("retry-after"))).toBeGreaterThanOrEqual(1);
    // The limit applies to every kind of key.
    for (const path of ["/engine/v1/worker-actions/dequeue", "/admin/v1/bootstrap"]) {
      const headers = { "x-test-address": attacker };
      expect((await call("POST", path, "guess", {}, headers)).status).toBe(429);
    }
    // The key that is in use works on, and so does another address.
    expect((await list(project.prod, attacker)).status).toBe(200);
    expect((await list("tr_prod_guess", other)).status).toBe(401);
    expect((await list(project.dev, other)).status).toBe(200);
  });
});
