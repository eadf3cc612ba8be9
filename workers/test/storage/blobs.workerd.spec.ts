import { describe, expect, it } from "vitest";
import { type BlobStore, openBlobs } from "../../src/storage/blobs.ts";
import { bindings } from "./test-bindings.ts";

const text = async (stream: ReadableStream | null) => (stream ? new Response(stream).text() : null);
const bytes = (content: string) => new TextEncoder().encode(content);

/** A stream of the text's bytes in chunks, which closes or fails after the last chunk. */
function streamOf(content: string, end: "closes" | "breaks" = "closes"): ReadableStream<Uint8Array> {
  const pieces = content.match(/.{1,1000}/gs) ?? [];
  return new ReadableStream({
    pull(controller) {
      const piece = pieces.shift();
      if (piece !== undefined) controller.enqueue(bytes(piece));
      else if (end === "closes") controller.close();
      else controller.error(new Error("The client is gone"));
    },
  });
}

const stores: Record<string, () => BlobStore> = {
  "R2 bucket": () => openBlobs({ BUNDLES: bindings.BUNDLES } as never),
  "disk service": () => openBlobs({ BLOBS: bindings.BLOBS } as never),
};

describe.each(Object.entries(stores))("blobs in a %s", (_name, open) => {
  const key = () => `packets/env00001/${crypto.randomUUID()}.json`;

  it("are read as they were written", async () => {
    const [store, at] = [open(), key()];
    await store.put(at, bytes("hello ☕"));
    expect(await text(await store.get(at))).toBe("hello ☕");
    expect(await store.size(at)).toBe(9);
  });

  it("may be an ArrayBuffer, part of one, or empty", async () => {
    const store = open();
    const [whole, part, empty] = [key(), key(), key()];
    await store.put(whole, bytes("whole").buffer as ArrayBuffer);
    await store.put(part, bytes("a part of it").subarray(2, 6));
    await store.put(empty, new Uint8Array());
    expect(await text(await store.get(whole))).toBe("whole");
    expect(await text(await store.get(part))).toBe("part");
    expect(await text(await store.get(empty))).toBe("");
    expect(await store.size(empty)).toBe(0);
  });

  it("are replaced", async () => {
    const [store, at] = [open(), key()];
    await store.put(at, bytes("a long first version"));
    await store.put(at, bytes("second"));
    expect(await text(await store.get(at))).toBe("second");
  });

  it("are deleted by folder, with its subfolders, and nothing else", async () => {
    const store = open();
    const folder = `packets/${crypto.randomUUID()}`;
    const beside = `${folder}-2/a.json`;
    const inside = [`${folder}/a.json`, `${folder}/uploads/b.json`, `${folder}/uploads/deep/c.json`];
    for (const at of [...inside, beside]) await store.put(at, bytes("x"));
    while (!(await store.deleteUnder(folder)));
    for (const at of inside) expect(await store.size(at)).toBeNull();
    expect(await store.size(beside)).toBe(1);
    expect(await store.deleteUnder(`packets/${crypto.randomUUID()}`)).toBe(true);
  });

  it("are streamed in", async () => {
    const [store, at] = [open(), key()];
    const content = "0123456789".repeat(30_000);
    await store.put(at, { stream: streamOf(content), size: content.length });
    expect(await text(await store.get(at))).toBe(content);
  });

  it.each([
    ["breaks off", { stream: () => streamOf("x".repeat(5_000), "breaks"), size: 10_000 }],
    ["ends too early", { stream: () => streamOf("x".repeat(5_000)), size: 10_000 }],
    ["is longer than its size", { stream: () => streamOf("x".repeat(10_000)), size: 5_000 }],
  ])("stay as they were when a stream %s", async (_why, { stream, size }) => {
    const store = open();
    const [old, none] = [key(), key()];
    await store.put(old, bytes("old"));
    await expect(store.put(old, { stream: stream(), size })).rejects.toThrow();
    await expect(store.put(none, { stream: stream(), size })).rejects.toThrow();
    expect(await text(await store.get(old))).toBe("old");
    expect(await store.get(none)).toBeNull();
  });

  it("do not exist before they are written and after they are deleted", async () => {
    const [store, at] = [open(), key()];
    expect([await store.get(at), await store.size(at)]).toEqual([null, null]);
    await store.put(at, bytes("short-lived"));
    await store.delete(at);
    await store.delete(at);
    expect([await store.get(at), await store.size(at)]).toEqual([null, null]);
  });

  it("are not the folders above them", async () => {
    const store = open();
    await store.put(key(), bytes("below"));
    expect([await store.get("packets/env00001"), await store.size("packets/env00001")]).toEqual([null, null]);
  });

  it.each([
    "",
    "../secrets",
    "a/../../b",
    "a//b",
    "/a",
    "a/",
    ".hidden",
    "a/.hidden",
    "a b",
    "a%2f..",
    "a?b",
    "a#b",
  ])("can't be called %j", async (name) => {
    const store = open();
    await expect(store.put(name, bytes("x"))).rejects.toThrow("can't be the key of a blob");
    await expect(store.get(name)).rejects.toThrow("can't be the key of a blob");
    await expect(store.size(name)).rejects.toThrow("can't be the key of a blob");
    await expect(store.delete(name)).rejects.toThrow("can't be the key of a blob");
  });
});

describe("openBlobs", () => {
  it("says what to bind if nothing is bound", () => {
    expect(() => openBlobs({} as never)).toThrow("bind an R2 bucket as BUNDLES");
  });
});
