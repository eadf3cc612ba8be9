import type { Preferences, RecentPayload, SessionObject } from "@acme/sdk/contract/api";
import { DEFAULT_PREFERENCES, PREFERENCE_LIMITS } from "@acme/sdk/contract/api";
import { describe, expect, it } from "vitest";
import { signIn } from "./person.ts";

type List<T> = { data: T[] };
const PREFERENCES = "/api/v1/me/preferences";
const PAYLOADS = "/api/v1/me/recent-payloads";

describe("preferences", () => {
  it("have defaults, and change by field", async () => {
    const person = await signIn();
    expect((await person.call("GET", PREFERENCES)).body).toEqual(DEFAULT_PREFERENCES);
    const view = { id: "v1", name: "日本の実行", page: "runs", query: "statuses=FAILED&period=1d" };
    await person.call("PUT", PREFERENCES, { theme: "dark", savedViews: [view] });
    const { body } = await person.call<Preferences>("PUT", PREFERENCES, { dismissedHints: ["first-run"] });
    expect(body).toEqual({
      ...DEFAULT_PREFERENCES,
      theme: "dark",
      savedViews: [view],
      dismissedHints: ["first-run"],
    });
    expect((await person.call("GET", PREFERENCES)).body).toEqual(body);
    expect((await (await signIn()).call("GET", PREFERENCES)).body).toEqual(DEFAULT_PREFERENCES);
  });

  it("refuse unknown fields", async () => {
    const person = await signIn();
    for (const body of [{ theme: "pink" }, { unknown: 1 }, { savedViews: [{ id: "x" }] }])
      expect((await person.call("PUT", PREFERENCES, body)).status).toBe(400);
    expect((await person.call("GET", PREFERENCES)).body).toEqual(DEFAULT_PREFERENCES);
  });
});

describe("recent payloads", () => {
  it("are kept by task and environment, newest first, without duplicates, up to a limit", async () => {
    const person = await signIn();
    const add = (payload: string, task = "hello") =>
      person.call<List<RecentPayload>>("POST", PAYLOADS, { environment: "env_1", task, payload });
    for (let n = 0; n < 12; n++) await add(`{"n":${n}}`);
    const { body } = await add('{"n":5}');
    expect(body.data).toHaveLength(PREFERENCE_LIMITS.payloadsPerTask);
    expect(body.data.slice(0, 2).map(({ payload }) => payload)).toEqual(['{"n":5}', '{"n":11}']);
    await add("{}", "other");
    const of = async (query: string) =>
      (await person.call<List<RecentPayload>>("GET", `${PAYLOADS}?${query}`)).body.data.length;
    expect(await of("environment=env_1&task=hello")).toBe(10);
    expect(await of("environment=env_1&task=other")).toBe(1);
    expect(await of("environment=env_2&task=hello")).toBe(0);
    const large = await add("x".repeat(PREFERENCE_LIMITS.payloadBytes + 1));
    expect(large.status).toBe(400);
  });
});

describe("sessions", () => {
  it("are listed without their tokens, and revoked", async () => {
    const person = await signIn();
    const second = await signIn(person.email);
    const third = await signIn(person.email);
    const sessions = await person.call<List<SessionObject>>("GET", "/api/v1/me/sessions");
    expect(sessions.body.data.map(({ current }) => current)).toEqual([false, false, true]);
    expect(sessions.body.data[0]?.address).toMatch(/^10\./);
    const token = person.cookie.split("=")[1]?.split(".")[0] as string;
    expect(JSON.stringify(sessions.body)).not.toContain(token);
    const newest = sessions.body.data[0]?.id;
    expect((await person.call("DELETE", `/api/v1/me/sessions/${newest}`)).body).toEqual({ revoked: 1 });
    expect((await third.call("GET", "/api/v1/me")).status).toBe(401);
    expect((await person.call("DELETE", "/api/v1/me/sessions")).body).toEqual({ revoked: 1 });
    expect((await second.call("GET", "/api/v1/me")).status).toBe(401);
    expect((await person.call("GET", "/api/v1/me")).status).toBe(200);
  });

  it("of others can't be revoked", async () => {
    const [person, other] = [await signIn(), await signIn()];
    const theirs = await other.call<List<SessionObject>>("GET", "/api/v1/me/sessions");
    const id = theirs.body.data[0]?.id;
    expect((await person.call("DELETE", `/api/v1/me/sessions/${id}`)).status).toBe(404);
    expect((await other.call("GET", "/api/v1/me")).status).toBe(200);
  });
});
