/** The Worker of the storage tests: the database object and bindings to every kind of storage. */
export { DatabaseObject } from "../../src/storage/database-object.ts";

export default { fetch: () => new Response("storage tests") };
