import { defineConfig } from "drizzle-kit";

/** `npm run migrations` writes the SQL for what changed in the schema. */
export default defineConfig({
  dialect: "sqlite",
  schema: "./workers/src/storage/schema.ts",
  out: "./workers/migrations/sqlite",
});
