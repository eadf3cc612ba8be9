import { defineConfig } from "drizzle-kit";

/** Run by `npm run migrations`, from the repository's root. */
export default defineConfig({
  dialect: "postgresql",
  schema: "./workers/src/storage/postgres-schema.ts",
  out: "./workers/migrations/postgres",
});
