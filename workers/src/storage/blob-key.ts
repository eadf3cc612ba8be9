const KEY = /^[\w-][\w.-]*(\/[\w-][\w.-]*)*$/;

/** Whether a text is well formed as a key. Any other could name a file outside of the store's folder. */
export const isBlobKey = (key: string): boolean => key.length <= 512 && KEY.test(key);

/** The key itself. Throws on one that isn't well formed. */
export function checkedKey(key: string): string {
  if (!isBlobKey(key)) throw new Error(`${JSON.stringify(key)} can't be the key of a blob`);
  return key;
}
