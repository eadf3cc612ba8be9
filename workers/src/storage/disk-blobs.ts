import { z } from "zod";
import { checkedKey, isBlobKey } from "./blob-key.ts";
import type { BlobStore, SizedStream } from "./blobs.ts";
import { wholeStream } from "./whole-stream.ts";

/** The number of files that one call of `deleteUnder` deletes. Each is a request to the disk service. */
const DELETED_AT_ONCE = 200;

const Listing = z.array(z.object({ name: z.string(), type: z.string() }));

/**
 * Blobs in the folder of a writable disk service of plain workerd, which makes folders as needed and moves a finished
 * file into place. docs/decisions/0006-blobs-in-workerds-disk-service.md describes its guarantees.
 */
export class DiskBlobs implements BlobStore {
  readonly #disk: Fetcher;

  constructor(disk: Fetcher) {
    this.#disk = disk;
  }

  async put(key: string, bytes: ArrayBuffer | ArrayBufferView | SizedStream): Promise<void> {
    checkedKey(key);
    if (!("stream" in bytes)) {
      await this.#send(key, "PUT", bytes, [204]);
      return;
    }
    const { body, sent } = wholeStream(bytes);
    await Promise.all([sent, this.#send(key, "PUT", body, [204])]);
  }

  async get(key: string): Promise<ReadableStream | null> {
    const response = await this.#send(key, "GET", null, [200, 404]);
    if (sizeOf(response) !== null) return response.body ?? new Blob([]).stream();
    await response.body?.cancel();
    return null;
  }

  async size(key: string): Promise<number | null> {
    return sizeOf(await this.#send(key, "HEAD", null, [200, 404]));
  }

  async delete(key: string): Promise<void> {
    await this.#send(key, "DELETE", null, [204, 404]);
  }

  async deleteUnder(folder: string): Promise<boolean> {
    let left = DELETED_AT_ONCE;
    const visit = async (at: string): Promise<void> => {
      for (const { name, type } of await this.#list(at)) {
        if (left <= 0) return;
        if (type === "directory") await visit(`${at}/${name}`);
        else {
          left -= 1;
          await this.delete(`${at}/${name}`);
        }
      }
    };
    await visit(folder);
    return left > 0;
  }

  /** Lists a folder. Files that are being written have names that begin with a dot, and are left out. */
  async #list(folder: string): Promise<z.infer<typeof Listing>> {
    const response = await this.#send(folder, "GET", null, [200, 404]);
    if (response.status === 200 && sizeOf(response) === null) {
      return Listing.parse(await response.json()).filter(({ name }) => isBlobKey(name));
    }
    await response.body?.cancel();
    return [];
  }

  async #send(key: string, method: string, body: BodyInit | null, expected: number[]): Promise<Response> {
    const response = await this.#disk.fetch(`http://blobs/${checkedKey(key)}`, { method, body });
    if (expected.includes(response.status)) return response;
    await response.body?.cancel();
    throw new Error(`The blob store answered ${response.status} to ${method} ${key}`);
  }
}

/** Returns null if it does not exist, or is a folder (which is answered with a listing, without a length). */
function sizeOf(response: Response): number | null {
  const length = response.headers.get("content-length");
  return response.status === 200 && length !== null ? Number(length) : null;
}
