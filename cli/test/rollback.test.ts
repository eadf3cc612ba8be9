import type { DeploymentBody } from "@acme/sdk/contract/api";
import { expect, it } from "vitest";
import { versionBefore } from "../src/commands/rollback.ts";

const deployment = (version: string, promotedAt: string | undefined, promoted = false): DeploymentBody => ({
  id: version,
  version,
  contentHash: "",
  tasks: [],
  createdAt: "",
  promoted,
  promotedAt,
  status: "DEPLOYED",
});

it("goes back to the version that was current before this one", () => {
  const list = [
    deployment("4", undefined),
    deployment("3", "2026-11-03", true),
    deployment("2", "2026-11-01"),
    deployment("1", "2026-11-02"),
  ];
  expect(versionBefore(list)?.version).toBe("1");
});

it("finds none where there was none", () => {
  expect(versionBefore([deployment("1", "2026-11-01", true), deployment("2", undefined)])).toBeUndefined();
  expect(versionBefore([deployment("1", undefined)])).toBeUndefined();
  expect(versionBefore([])).toBeUndefined();
});
