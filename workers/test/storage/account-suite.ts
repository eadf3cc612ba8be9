import { beforeAll, describe, expect, it } from "vitest";
import type { Repository } from "../../src/storage/repository.ts";
import { accountInput, anAccount, sha256 } from "./an-account.ts";

const aHash = () => sha256(crypto.randomUUID());

/** Organizations, projects, environments, keys and tokens. */
export function accountSuite(open: () => Promise<Repository>): void {
  let repository: Repository;
  beforeAll(async () => {
    repository = await open();
  });

  describe("bootstrap", () => {
    it("creates an organization, a project and its environments", async () => {
      const { input, organizationId, environments } = await anAccount(repository);
      expect(environments).toMatchObject([
        { slug: "dev", type: "DEVELOPMENT", key: expect.stringMatching(/^[0-9a-z]{8}$/) },
        { slug: "prod", type: "PRODUCTION", organization: { id: organizationId, ...input.organization } },
      ]);
      expect(environments[1]?.project).toMatchObject(input.project);
    });

    it("changes nothing the second time", async () => {
      const { input, organizationId, environments } = await anAccount(repository);
      expect(await repository.bootstrap(input)).toEqual({ organizationId, environments });
    });

    it("gives one account to two at once", async () => {
      const input = accountInput();
      const [one, two] = await Promise.all([repository.bootstrap(input), repository.bootstrap(input)]);
      expect(one).toEqual(two);
      expect(one).toHaveProperty("environments.length", 2);
    });

    it("adds a key and keeps the ones before", async () => {
      const { input, prod } = await anAccount(repository);
      const another = aHash();
      await repository.bootstrap({ ...input, keyHashes: { prod: another } });
      expect((await repository.findEnvironmentByKeyHash(another))?.key).toBe(prod);
      expect((await repository.findEnvironmentByKeyHash(input.keyHashes.prod ?? ""))?.key).toBe(prod);
    });

    it("adds an environment", async () => {
      const { input } = await anAccount(repository);
      const more = await repository.bootstrap({
        ...input,
        keyHashes: { ...input.keyHashes, staging: aHash() },
      });
      if ("conflict" in more) throw new Error(more.conflict);
      expect(more.environments.map((e) => [e.slug, e.type])).toEqual([
        ["dev", "DEVELOPMENT"],
        ["prod", "PRODUCTION"],
        ["staging", "STAGING"],
      ]);
    });

    it("refuses another organization's project", async () => {
      const { input } = await anAccount(repository);
      const other = { ...accountInput(), project: input.project };
      expect(await repository.bootstrap(other)).toEqual({
        conflict: `Project "${input.project.ref}" belongs to organization "${input.organization.slug}". Choose another project ref.`,
      });
      expect(await repository.findAccessToken(other.accessTokenHash)).toBeNull();
      expect(await repository.findEnvironmentByKeyHash(other.keyHashes.prod ?? "")).toBeNull();
    });

    it("refuses a key that is another environment's", async () => {
      const { input, prod } = await anAccount(repository);
      const other = { ...accountInput(), keyHashes: { prod: input.keyHashes.prod ?? "" } };
      expect(await repository.bootstrap(other)).toHaveProperty("conflict");
      expect(await repository.findAccessToken(other.accessTokenHash)).toBeNull();
      expect((await repository.findEnvironmentByKeyHash(input.keyHashes.prod ?? ""))?.key).toBe(prod);
    });

    it("refuses a key of one environment for another of the same project", async () => {
      const { input } = await anAccount(repository);
      const swapped = { ...input, keyHashes: { prod: input.keyHashes.dev ?? "" } };
      expect(await repository.bootstrap(swapped)).toHaveProperty("conflict");
    });

    it("refuses another organization's access token", async () => {
      const { input } = await anAccount(repository);
      const other = { ...accountInput(), accessTokenHash: input.accessTokenHash };
      expect(await repository.bootstrap(other)).toHaveProperty("conflict");
      expect(await repository.findEnvironmentByKeyHash(other.keyHashes.prod ?? "")).toBeNull();
    });

    it("does not bring a revoked key back", async () => {
      const { input, prod } = await anAccount(repository);
      await repository.revokeApiKey(prod, input.keyHashes.prod ?? "");
      expect(await repository.bootstrap(input)).toHaveProperty("conflict");
      expect(await repository.findEnvironmentByKeyHash(input.keyHashes.prod ?? "")).toBeNull();
    });
  });

  describe("API keys", () => {
    it("find their environment", async () => {
      const { input, environments } = await anAccount(repository);
      expect(await repository.findEnvironmentByKeyHash(input.keyHashes.dev ?? "")).toEqual(environments[0]);
    });

    it("are unknown when they were never made", async () => {
      expect(await repository.findEnvironmentByKeyHash(aHash())).toBeNull();
    });

    it("work until they are revoked", async () => {
      const { prod } = await anAccount(repository);
      const hash = aHash();
      expect(await repository.createApiKey(prod, hash)).toBe(true);
      expect((await repository.findEnvironmentByKeyHash(hash))?.key).toBe(prod);
      expect(await repository.revokeApiKey(prod, hash)).toBe(true);
      expect(await repository.findEnvironmentByKeyHash(hash)).toBeNull();
      expect(await repository.revokeApiKey(prod, hash)).toBe(false);
      expect(await repository.createApiKey(prod, hash)).toBe(false);
    });

    it("can't be revoked from another environment", async () => {
      const { input, prod, dev } = await anAccount(repository);
      expect(await repository.revokeApiKey(dev, input.keyHashes.prod ?? "")).toBe(false);
      expect((await repository.findEnvironmentByKeyHash(input.keyHashes.prod ?? ""))?.key).toBe(prod);
    });
  });

  describe("access tokens", () => {
    it("of the operator are the organization's own, and may everything", async () => {
      const { input, organizationId } = await anAccount(repository);
      await repository.markUsed("accessToken", input.accessTokenHash);
      expect(await repository.findAccessToken(input.accessTokenHash)).toEqual({
        id: expect.stringMatching(/^pat_/),
        organizationId,
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
      const [own, other] = [await anAccount(repository), await anAccount(repository)];
      const { ref } = own.input.project;
      expect((await repository.findEnvironment(own.organizationId, ref, "prod"))?.key).toBe(own.prod);
      expect(await repository.findEnvironment(own.organizationId, ref, "staging")).toBeNull();
      expect(await repository.findEnvironment(other.organizationId, ref, "prod")).toBeNull();
      expect((await repository.findEnvironmentByKey(own.dev))?.slug).toBe("dev");
      expect(await repository.findEnvironmentByKey("nothing0")).toBeNull();
    });
  });
}
