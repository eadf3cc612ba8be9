import { execFileSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { describe, expect, it } from "vitest";
import { migrationsModule } from "../../../scripts/migrate-generate.mjs";

const ROOT = join(import.meta.dirname, "../../..");

describe("migrations", () => {
  it("are the same in the module as in the SQL files", () => {
    expect(readFileSync(join(ROOT, "workers/migrations/sqlite.ts"), "utf8")).toBe(migrationsModule());
  });

  it.each(["sqlite", "postgres"])("of %s are what the schema says", (dialect) => {
    const folder = mkdtempSync(join(tmpdir(), "acme-migrations-"));
    try {
      cpSync(join(ROOT, "workers/migrations", dialect), folder, { recursive: true });
      const schema = join(ROOT, `workers/src/storage/${dialect}-schema.ts`);
      const kit = [
        join(ROOT, "node_modules/drizzle-kit/bin.cjs"),
        "generate",
        "--schema",
        schema,
        "--out",
        relative(ROOT, folder),
      ];
      const name = dialect === "postgres" ? "postgresql" : dialect;
      const output = execFileSync(process.execPath, [...kit, "--dialect", name], {
        cwd: ROOT,
        encoding: "utf8",
      });
      expect(output).toContain("No schema changes");
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
