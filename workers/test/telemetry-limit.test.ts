import { expect, it } from "vitest";
import { parseTelemetryLimit } from "../src/telemetry/ingest-limit.ts";
import { parseRetention } from "../src/telemetry/retention-days.ts";
import { newProject, type Project } from "./client.ts";
import { request } from "./configured.ts";

const LIMIT = { TELEMETRY_RATE_LIMIT: "100,1" };

/** Sends one request with this many metric points. */
const send = ({ prod }: Project, points: number, name: string): Promise<Response> => {
  const dataPoints = Array.from({ length: points }, (_, n) => ({
    asInt: n,
    timeUnixNano: `${Date.now()}000000`,
  }));
  const body = { resourceMetrics: [{ scopeMetrics: [{ metrics: [{ name, gauge: { dataPoints } }] }] }] };
  return request(LIMIT, "/otel/v1/metrics", body, { authorization: `Bearer ${prod}` });
};

it("ten times an environment's limit is refused, and nothing of another environment", async () => {
  const [flooding, other] = await Promise.all([newProject(), newProject()]);
  const answers = await Promise.all(
    Array.from({ length: 50 }, async (_, n) => {
      const flood = await send(flooding, 20, `flood-${n}`);
      // The other environment stays within its limit.
      const calm = n % 10 === 0 ? await send(other, 20, `calm-${n}`) : null;
      return { flood, calm };
    }),
  );
  const refused = answers.filter(({ flood }) => flood.status === 429);
  // 100 at once, and one a second meanwhile: five requests, or one more on a very slow machine.
  expect(refused.length).toBeGreaterThanOrEqual(40);
  expect(answers.length - refused.length).toBeGreaterThanOrEqual(5);
  const [first] = refused;
  expect(Number(first?.flood.headers.get("retry-after"))).toBeGreaterThan(0);
  expect(await first?.flood.json()).toMatchObject({ code: "too_much_telemetry" });
  expect(answers.flatMap(({ calm }) => calm?.status ?? [])).toEqual([200, 200, 200, 200, 200]);
});

it("reads limits and retentions, and says what is wrong with them", () => {
  expect(parseTelemetryLimit("10,5")).toEqual({ burst: 10, perSecond: 5 });
  for (const text of ["10", "0,1", "a,b", "1,2,3"]) expect(parseTelemetryLimit(text)).toBeUndefined();
  expect(parseRetention(undefined)).toEqual({ days: 30, ofOrganizations: new Map() });
  expect(parseRetention("8,acme=365, big-one=700")).toEqual({
    days: 14,
    ofOrganizations: new Map([
      ["acme", 365],
      ["big-one", 730],
    ]),
  });
  for (const text of ["0", "731", "acme", "acme=", "1,,2"])
    expect(parseRetention(text)).toHaveProperty("problem");
});
