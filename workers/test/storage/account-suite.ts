import { eq } from "drizzle-orm";
import { beforeAll, describe, expect, it } from "vitest";
import type { Repository } from "../../src/storage/repository.ts";
import { anAccount, sha256 } from "./an-account.ts";
import type { Store } from "./repository-suite.ts";

const aHash = () => sha256(crypto.randomUUID());

/** Organizations, projects, environments, keys and tokens. */
export function accountSuite(open: () => Promise<Store>): void {
  let repository: Repository;
  let connection: Store["connection"];
  beforeAll(async () => {
    ({ repository, connection } = await open());
  });

  describe("API keys", () => {
    it("find their environment", async () => {
      const { dev, devKeyHash, organization, project } = await anAccount(connection);
      expect(await repository.findEnvironmentByKeyHash(devKeyHash)).toEqual({
        key: dev,
        id: expect.stringMatching(/^env_/),
        slug: "dev",
        type: "DEVELOPMENT",
        organization,
        project,
      });
    });

    it("are unknown if they were never created", async () => {
      expect(await repository.findEnvironmentByKeyHash(aHash())).toBeNull();
    });

    it("work until they expire", async () => {
      const { prod, prodKeyHash: hash } = await anAccount(connection);
      const { db, tables } = connection;
      const endAt = async (revokedAt: number) => {
        await db.update(tables.apiKeys).set({ revokedAt }).where(eq(tables.apiKeys.hash, hash));
        return (await repository.findEnvironmentByKeyHash(hash))?.key;
      };
      expect(await endAt(Date.now() + 60_000)).toBe(prod);
      expect(await endAt(Date.now())).toBeUndefined();
    });
  });

  describe("access tokens", () => {
    it("of the operator are the organization's own, and permit everything", async () => {
      const { accessTokenHash, organization } = await anAccount(connection);
      await repository.markUsed("accessToken", accessTokenHash);
      expect(await repository.findAccessToken(accessTokenHash)).toEqual({
        id: expect.stringMatching(/^pat_/),
        organizationId: organization.id,
        name: "access token",
        scopes: "admin",
        expiresAt: null,
        userId: null,
        user: null,
      });
      expect(await repository.findAccessToken(aHash())).toBeNull();
    });
  });

  describe("projects and environments", () => {
    it("are found by project and slug for their organization only", async () => {
      const [own, other] = [await anAccount(connection), await anAccount(connection)];
      const { ref } = own.project;
      expect((await repository.findEnvironment(own.organization.id, ref, "prod"))?.key).toBe(own.prod);
      expect(await repository.findEnvironment(own.organization.id, ref, "staging")).toBeNull();
      expect(await repository.findEnvironment(other.organization.id, ref, "prod")).toBeNull();
      expect((await repository.findEnvironmentByKey(own.dev))?.slug).toBe("dev");
      expect(await repository.findEnvironmentByKey("nothing0")).toBeNull();
    });
  });
}
