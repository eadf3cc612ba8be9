/** For the packages that start the runtime: where its entry files are. */
export const RUNTIME_ENTRY = new URL("./main.ts", import.meta.url);
