import { applyD1Migrations } from "cloudflare:test";
import { env } from "cloudflare:workers";

const { DB, MIGRATIONS } = env;
if (!DB) throw new Error("These tests need D1: bind it as DB");
await applyD1Migrations(DB, MIGRATIONS);
