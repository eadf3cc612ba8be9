/** The metadata of a running attempt: its local copy, and the operations that are sent. */
import { describe, expect, test } from "vitest";
import { ApiError } from "../src/client/api-errors.ts";
import { applyMetadataOperation } from "../src/contract/metadata-operations.ts";
import { type MetadataUpdate, RunMetadata } from "../src/run/run-metadata.ts";

/** Metadata of a run on a server that applies what it is sent as the queue object does, unless `refuse` says otherwise. */
function metadataOf(
  options: { initial?: object; hasParent?: boolean; refuse?: () => number | undefined } = {},
) {
  const sent: MetadataUpdate[] = [];
  const warnings: string[] = [];
  let stored = { ...options.initial } as Record<string, unknown>;
  const metadata = new RunMetadata({
    initial: options.initial && JSON.stringify(options.initial),
    hasParent: options.hasParent ?? false,
    send: async (update) => {
      const status = options.refuse?.();
      if (status) throw ApiError.generate(status, { error: "refused" }, undefined, {});
      sent.push(structuredClone(update));
      for (const operation of update.operations ?? [])
        stored = applyMetadataOperation(stored, operation) ?? stored;
      return { metadata: structuredClone(stored) };
    },
    warn: (message) => warnings.push(message),
  });
  return { metadata, sent, warnings, stored: () => stored };
}

describe("the local copy and the server's", () => {
  test("are the same after a flush, also where a path goes through an array", async () => {
    const { metadata, stored } = metadataOf({ initial: { items: [{ done: false }, { done: false }] } });
    metadata.apply("self", { type: "set", key: "$.items.0.done", value: true });
    const expected = { items: [{ done: true }, { done: false }] };
    expect(metadata.current()).toEqual(expected);
    await metadata.flush();
    expect(stored()).toEqual(expected);
    expect(metadata.current()).toEqual(expected);
  });

  test("keep a value as it was when it was set, as JSON", async () => {
    const { metadata, stored } = metadataOf();
    const value = { at: new Date(0), list: [1], none: undefined };
    metadata.apply("self", { type: "set", key: "a", value });
    value.list.push(2);
    metadata.apply("self", { type: "set", key: "b", value: 1 });
    metadata.apply("self", { type: "set", key: "b", value: undefined });
    expect(metadata.current()).toEqual({ a: { at: "1970-01-01T00:00:00.000Z", list: [1] } });
    await metadata.flush();
    expect(stored()).toEqual(metadata.current());
  });
});

test("the list of the run's streams stays when the task replaces its metadata", async () => {
  const { metadata, stored } = metadataOf({ initial: { $$streams: ["tokens"], old: 1 } });
  metadata.apply("self", { type: "update", value: { new: 2 } });
  await metadata.flush();
  expect(stored()).toEqual({ $$streams: ["tokens"], new: 2 });
  expect(metadata.current()).toEqual(stored());
});

describe("metadata that cannot be stored", () => {
  test("is reported, and does not keep the rest from being saved", async () => {
    const { metadata, warnings, stored } = metadataOf({ hasParent: true });
    metadata.apply("self", { type: "set", key: "k".repeat(600), value: 1 });
    metadata.apply("parent", { type: "increment", key: "n", value: Number.NaN });
    metadata.apply("self", { type: "remove", key: "list", value: 1 });
    metadata.apply("self", { type: "set", key: "a", value: 1 });
    expect(() => metadata.apply("self", { type: "set", key: "big", value: 1n })).toThrow(
      'metadata.set("big"): the value cannot be JSON',
    );
    await metadata.flush();
    expect(stored()).toEqual({ a: 1 });
    expect(warnings).toHaveLength(3);
    expect(warnings[1]).toBe('Metadata was not changed: metadata.increment("n") cannot be applied');
  });

  test("is dropped when the API refuses it, so that later changes are saved", async () => {
    let status: number | undefined = 413;
    const { metadata, stored } = metadataOf({ refuse: () => status });
    metadata.apply("self", { type: "set", key: "large", value: "x" });
    await expect(metadata.flush()).rejects.toMatchObject({ status: 413 });
    expect(metadata.pending).toBe(false);
    status = undefined;
    metadata.apply("self", { type: "set", key: "small", value: 1 });
    await metadata.flush();
    expect(stored()).toEqual({ small: 1 });
  });
});

test("operations are kept while the server is not available, in their order", async () => {
  let status: number | undefined = 503;
  const { metadata, stored, sent } = metadataOf({ refuse: () => status });
  for (let i = 0; i < 2; i++) {
    metadata.apply("self", { type: "append", key: "list", value: i });
    await expect(metadata.flush()).rejects.toMatchObject({ status: 503 });
  }
  status = undefined;
  await metadata.flush();
  expect(stored()).toEqual({ list: [0, 1] });
  expect(sent).toHaveLength(1);
});

test("more operations than one request may carry are sent in several", async () => {
  const { metadata, stored, sent } = metadataOf();
  const numbers = Array.from({ length: 2_500 }, (_, i) => i);
  for (const value of numbers) metadata.apply("self", { type: "append", key: "list", value });
  await metadata.flush();
  expect(sent.map(({ operations }) => operations?.length)).toEqual([1_000, 1_000, 500]);
  expect(stored()).toEqual({ list: numbers });
  expect(metadata.current()).toEqual({ list: numbers });
});
