const KEY = /^[\w-][\w.-]*(\/[\w-][\w.-]*)*$/;

/** The key itself. Throws on one that isn't well formed: it could name a file outside of the store's folder. */
export function checkedKey(key: string): string {
  if (key.length > 512 || !KEY.test(key))
    throw new Error(`${JSON.stringify(key)} can't be the key of a blob`);
  return key;
}
