import superjson from "superjson";
import { beforeAll, describe, expect, it } from "vitest";
import { jsonOfPacket, jsonWith } from "../src/views/packet-view.ts";
import { call, deploy, newProject, type Project } from "./client.ts";
import { report, start } from "./host.ts";

const SUPERJSON = "application/super+json";

describe("a packet as it is shown", () => {
  const shown = (text: string, type: string) => {
    const json = jsonOfPacket({ text, type });
    return json === undefined ? undefined : JSON.parse(json);
  };
  const circular: Record<string, unknown> = { a: 1 };
  circular.self = circular;

  it.each<[string, string, string, unknown]>([
    ["JSON", '{"a":[1]}', "application/json", { a: [1] }],
    ["a string that is no JSON", "hello", "application/json", "hello"],
    ["an empty text", "", "application/json", ""],
    ["plain text", '{"a":1}', "text/plain", '{"a":1}'],
    ["a type nobody knows", "hello", "x", "hello"],
    ["a BigInt", superjson.stringify({ n: 12345678901234567890n }), SUPERJSON, { n: "12345678901234567890" }],
    ["a date", superjson.stringify({ at: new Date(0) }), SUPERJSON, { at: "1970-01-01T00:00:00.000Z" }],
    ["a map of sets", superjson.stringify(new Map([["a", new Set([1, 2])]])), SUPERJSON, [["a", [1, 2]]]],
    ["numbers that are none", superjson.stringify([Number.NaN, Infinity]), SUPERJSON, ["NaN", "Infinity"]],
    ["an expression", superjson.stringify(/a/g), SUPERJSON, "/a/g"],
    ["nothing", superjson.stringify(undefined), SUPERJSON, undefined],
    ["bad superjson", "{", SUPERJSON, "{"],
    ["superjson of another shape", '{"json":1,"meta":{"values":7}}', SUPERJSON, 1],
    ["superjson that is null", "null", SUPERJSON, "null"],
    [
      "a value that refers to itself",
      superjson.stringify(circular),
      SUPERJSON,
      superjson.stringify(circular),
    ],
  ])("%s", (_what, text, type, expected) => {
    expect(shown(text, type)).toEqual(expected);
  });

  it("is passed on as it was written", () => {
    expect(jsonOfPacket({ text: "12345678901234567890", type: "application/json" })).toBe(
      "12345678901234567890",
    );
    expect(jsonWith({}, { a: "1", b: undefined })).toBe('{"a":1}');
    expect(jsonWith({ x: 1 }, { a: "[2]" })).toBe('{"x":1,"a":[2]}');
    expect(jsonWith({ x: 1 }, {})).toBe('{"x":1}');
  });
});

describe("a run can be read", () => {
  let project: Project;
  beforeAll(async () => {
    project = await newProject();
    await deploy(project, ["hello"]);
  });

  const trigger = async (payload: unknown, payloadType?: string): Promise<string> => {
    const { status, body } = await call<{ id: string }>("POST", "/api/v1/tasks/hello/trigger", project.prod, {
      payload,
      options: { payloadType },
    });
    expect(status).toBe(200);
    return body.id;
  };
  const retrieve = (id: string) => call("GET", `/api/v3/runs/${id}`, project.prod);

  it.each([
    ["a BigInt", superjson.stringify({ n: 1n }), SUPERJSON, { n: "1" }],
    ["text that is no JSON", "hello", "application/json", "hello"],
    ["bad superjson", "not superjson", SUPERJSON, "not superjson"],
  ])("whose payload is %s", async (_what, payload, type, expected) => {
    const { status, body } = await retrieve(await trigger(payload, type));
    expect([status, body.payload]).toEqual([200, expected]);
  });

  it.each([
    ["a BigInt", superjson.stringify({ n: 1n }), SUPERJSON, { n: "1" }],
    ["text that is no JSON", "hello", "application/json", "hello"],
    ["bad superjson", "{", SUPERJSON, "{"],
    [
      "a reference that the task wrote",
      "packets/other/secret.json",
      "application/store",
      "packets/other/secret.json",
    ],
    ["a reference to nothing", "x y", "application/store", "x y"],
  ])("whose output is %s", async (_what, output, outputType, expected) => {
    const id = await trigger({});
    const { token } = await start(id);
    const outcome = { type: "success", output, outputType };
    const { body: verdicts } = await report({
      completed: [{ runId: id, token, completedAt: Date.now(), outcome }],
    });
    expect(verdicts.completed).toEqual(["ok"]);
    const { status, body } = await retrieve(id);
    expect([status, body.status, body.output]).toEqual([200, "COMPLETED", expected]);
    const result = await call("GET", `/api/v1/runs/${id}/result`, project.prod);
    expect([result.status, result.body.output]).toEqual([200, output]);
    // A list shows it beside the others.
    const children = await call<{ data: { id: string }[] }>(
      "GET",
      "/api/v1/runs?page[size]=100",
      project.prod,
    );
    expect(children.status).toBe(200);
  });
});
