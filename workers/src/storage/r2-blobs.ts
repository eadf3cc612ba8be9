import { checkedKey } from "./blob-key.ts";
import type { BlobStore, SizedStream } from "./blobs.ts";
import { wholeStream } from "./whole-stream.ts";

/** Blobs in an R2 bucket. */
export class R2Blobs implements BlobStore {
  readonly #bucket: R2Bucket;

  constructor(bucket: R2Bucket) {
    this.#bucket = bucket;
  }

  async put(key: string, bytes: ArrayBuffer | ArrayBufferView | SizedStream): Promise<void> {
    const name = checkedKey(key);
    if (!("stream" in bytes)) {
      await this.#bucket.put(name, bytes);
      return;
    }
    const { body, sent } = wholeStream(bytes);
    await Promise.all([sent, this.#bucket.put(name, body)]);
  }

  async get(key: string): Promise<ReadableStream | null> {
    return (await this.#bucket.get(checkedKey(key)))?.body ?? null;
  }

  async size(key: string): Promise<number | null> {
    return (await this.#bucket.head(checkedKey(key)))?.size ?? null;
  }

  async delete(key: string): Promise<void> {
    await this.#bucket.delete(checkedKey(key));
  }

  async deleteUnder(folder: string): Promise<boolean> {
    const { objects, truncated } = await this.#bucket.list({ prefix: `${checkedKey(folder)}/` });
    if (objects.length > 0) await this.#bucket.delete(objects.map(({ key }) => key));
    return !truncated;
  }
}
