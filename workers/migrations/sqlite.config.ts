import { defineConfig } from "drizzle-kit";

/** Run by `npm run migrations`, from the repository's root. */
export default defineConfig({
  dialect: "sqlite",
  schema: "./workers/src/storage/sqlite-schema.ts",
  out: "./workers/migrations/sqlite",
});
