import { randomBase36 } from "@acme/sdk/contract";
import { beforeAll, describe, expect, it } from "vitest";
import type { DeploymentInput, Repository } from "../../src/storage/repository.ts";
import { type Account, anAccount, sha256 } from "./an-account.ts";
import type { Store } from "./repository-suite.ts";

const anInput = (environmentKey: string): DeploymentInput => ({
  environmentKey,
  contentHash: sha256("bundle"),
  bundleBytes: 1_234,
  manifest: {
    tasks: [{ id: "send-email", filePath: "src/email.ts", payloadSchema: { zero: "\0", nested: [1, null] } }],
    queues: [{ name: "slow", concurrencyLimit: 1 }],
    runtime: "node",
    sdkVersion: "0.1.0",
  },
});

const number = ({ version }: { version: string }) => Number(version.split(".")[1]);

export function deploymentSuite(open: () => Promise<Store>): void {
  let repository: Repository;
  let connection: Store["connection"];
  let account: Account;
  beforeAll(async () => {
    ({ repository, connection } = await open());
    account = await anAccount(connection);
  });

  describe("deployments", () => {
    it("are found as they were created", async () => {
      const { prod, dev } = await anAccount(connection);
      const created = await repository.createDeployment(anInput(prod));
      const today = new Date(created.createdAt).toISOString().slice(0, 10).replaceAll("-", "");
      expect(created).toMatchObject({ ...anInput(prod), version: `${today}.1`, promotedAt: null });
      expect(await repository.findDeployment(created.id)).toEqual(created);
      expect(await repository.findDeploymentByVersion(prod, created.version)).toEqual(created);
      expect(await repository.findDeploymentByVersion(dev, created.version)).toBeNull();
      expect(await repository.findDeployment("deployment_none")).toBeNull();
    });

    it("are numbered in each environment by itself", async () => {
      const { prod, dev } = await anAccount(connection);
      expect(number(await repository.createDeployment(anInput(prod)))).toBe(1);
      expect(number(await repository.createDeployment(anInput(prod)))).toBe(2);
      expect(number(await repository.createDeployment(anInput(dev)))).toBe(1);
    });

    it("get a version each when created at once, also past nine", async () => {
      const { prod } = account;
      const stores = await Promise.all([open(), open(), open()]);
      const created = await Promise.all(
        Array.from({ length: 12 }, (_, i) => stores[i % 3]?.repository.createDeployment(anInput(prod))),
      );
      const numbers = created.map((deployment) => (deployment ? number(deployment) : 0));
      expect(numbers.sort((a, b) => a - b)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
    });

    it("are listed newest first", async () => {
      const { prod } = await anAccount(connection);
      for (let i = 0; i < 11; i++) await repository.createDeployment(anInput(prod));
      const listed = await repository.listDeployments(prod, 3);
      expect(listed.map(number)).toEqual([11, 10, 9]);
      expect(await repository.listDeployments("nothing0", 3)).toEqual([]);
    });

    it("remember when they were promoted", async () => {
      const { prod } = await anAccount(connection);
      const created = await repository.createDeployment(anInput(prod));
      await repository.markPromoted(created.id);
      const promoted = await repository.findDeployment(created.id);
      expect(promoted?.promotedAt).toBeGreaterThanOrEqual(created.createdAt);
    });

    it("are collected, until one becomes current; their bundle is kept as long as one needs it", async () => {
      const { prod, dev } = await anAccount(connection);
      const input = { ...anInput(prod), contentHash: randomBase36(64) };
      const [first, second] = [
        await repository.createDeployment(input),
        await repository.createDeployment({ ...input, environmentKey: dev }),
      ];
      const kept = async () =>
        (await repository.listDeployments(prod, 3, { kept: true })).map(({ id }) => id);
      expect(first.collectedAt).toBeNull();
      await repository.markCollected(first.id, 5);
      expect((await repository.findDeployment(first.id))?.collectedAt).toBe(5);
      expect(await kept()).toEqual([]);
      expect(await repository.isBundleKept(input.contentHash)).toBe(true);
      await repository.markCollected(second.id, 6);
      expect(await repository.isBundleKept(input.contentHash)).toBe(false);
      await repository.markPromoted(first.id);
      expect(await kept()).toEqual([first.id]);
      expect(await repository.isBundleKept(input.contentHash)).toBe(true);
    });
  });
}
