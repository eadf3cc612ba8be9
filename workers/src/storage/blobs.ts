import type { Bindings } from "../bindings.ts";
import { DiskBlobs } from "./disk-blobs.ts";
import { R2Blobs } from "./r2-blobs.ts";

/** A stream with its length. Without it, neither store could distinguish a stream that broke off from one that ended. */
export interface SizedStream {
  stream: ReadableStream<Uint8Array>;
  /** Bytes. */
  size: number;
}

/**
 * Bytes by key: bundles (`bundles/ORGANIZATION/SHA256`) and large payloads (`packets/ENVIRONMENT/ID`). A key is segments of letters,
 * digits, `_`, `-` and `.`, joined by `/`; no segment begins with a dot. Every method throws when the store can't be
 * reached or refuses.
 */
export interface BlobStore {
  /**
   * Replaces the blob. A reader sees either the old or the new bytes, never a part. A failed write (including
   * a stream that is shorter or longer than its size) changes nothing.
   */
  put(key: string, bytes: ArrayBuffer | ArrayBufferView | SizedStream): Promise<void>;
  /** Returns the bytes as a stream; null if there is nothing under this key. */
  get(key: string): Promise<ReadableStream | null>;
  /** Returns the size in bytes; null if there is nothing under this key. */
  size(key: string): Promise<number | null>;
  /** Deleting a missing blob is not an error. */
  delete(key: string): Promise<void>;
  /** Deletes some blobs of a folder and its subfolders. Returns true if nothing is left. */
  deleteUnder(folder: string): Promise<boolean>;
}

/** Returns the blob store to which this Worker is bound: R2 on Cloudflare, a folder on one machine. */
export function openBlobs(env: Bindings): BlobStore {
  if (env.BUNDLES) return new R2Blobs(env.BUNDLES);
  if (env.BLOBS) return new DiskBlobs(env.BLOBS);
  throw new Error(
    "No blob store is bound: bind an R2 bucket as BUNDLES (or, on one machine, a writable disk as BLOBS)",
  );
}
