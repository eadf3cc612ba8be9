import type { Bindings } from "../bindings.ts";

/** Bytes by key: bundles (`bundles/SHA256`) and large payloads (`packets/ENVIRONMENT/ID`). */
export interface BlobStore {
  /** Replaces what was there. A reader sees the old bytes or the new ones, never a part; a failed write changes nothing. */
  put(key: string, bytes: ArrayBuffer | Uint8Array | ReadableStream): Promise<void>;
  /** The bytes as a stream; null: there is nothing under this key. */
  get(key: string): Promise<ReadableStream | null>;
  /** Size in bytes; null: there is nothing under this key. */
  head(key: string): Promise<{ size: number } | null>;
  /** In bytes; null: there is nothing under this key. */
  size(key: string): Promise<number | null>;
  /** Deleting what isn't there is fine. */
  delete(key: string): Promise<void>;
}

class R2Blobs implements BlobStore {
  readonly #bucket: R2Bucket;

  constructor(bucket: R2Bucket) {
    this.#bucket = bucket;
  }

  async put(key: string, bytes: ArrayBuffer): Promise<void> {
    await this.#bucket.put(key, bytes);
  }

  async get(key: string): Promise<ReadableStream | null> {
    return (await this.#bucket.get(key))?.body ?? null;
  }

  async size(key: string): Promise<number | null> {
    return (await this.#bucket.head(key))?.size ?? null;
  }
}

/** A writable disk service of plain workerd: GET, HEAD and PUT on files. PUT writes beside and renames, so none is ever seen half. */
class DiskBlobs implements BlobStore {
  readonly #disk: Fetcher;

  constructor(disk: Fetcher) {
    this.#disk = disk;
  }

  async put(key: string, bytes: ArrayBuffer): Promise<void> {
    const response = await this.#disk.fetch(`http://blobs/${key}`, { method: "PUT", body: bytes });
    await response.body?.cancel();
    if (!response.ok) throw new Error(`The blob store answered ${response.status} to writing ${key}`);
  }

  async get(key: string): Promise<ReadableStream | null> {
    const response = await this.#disk.fetch(`http://blobs/${key}`);
    if (response.ok) return response.body;
    await response.body?.cancel();
    return null;
  }

  async size(key: string): Promise<number | null> {
    const response = await this.#disk.fetch(`http://blobs/${key}`, { method: "HEAD" });
    await response.body?.cancel();
    return response.ok ? Number(response.headers.get("content-length")) : null;
  }
}

export function openBlobs(env: Bindings): BlobStore {
  if (env.BUNDLES) return new R2Blobs(env.BUNDLES);
  if (env.BLOBS) return new DiskBlobs(env.BLOBS);
  throw new Error(
    "No blob store is bound: bind an R2 bucket as BUNDLES (or, on one machine, a writable disk as BLOBS)",
  );
}
