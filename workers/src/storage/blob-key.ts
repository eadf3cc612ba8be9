const KEY = /^[\w-][\w.-]*(\/[\w-][\w.-]*)*$/;

/**
 * Returns whether a text is a well-formed key. Any other text could name a file outside of the store's
 * folder.
 */
export const isBlobKey = (key: string): boolean => key.length <= 512 && KEY.test(key);

/** Returns the key. Throws if it is not well formed. */
export function checkedKey(key: string): string {
  if (!isBlobKey(key)) throw new Error(`${JSON.stringify(key)} can't be the key of a blob`);
  return key;
}
