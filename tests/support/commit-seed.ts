import { spawnSync } from "node:child_process";

/**
 * Derives a seed from the current commit: each commit tries other seeds, a failure can be repeated, and two
 * runs of the same commit use the same seed. Outside a git checkout it is 0.
 */
export function firstSeedOfCommit(): { commit: string; from: number } {
  const { stdout } = spawnSync("git", ["rev-parse", "HEAD"], { cwd: import.meta.dirname, encoding: "utf8" });
  const commit = /^[0-9a-f]{40}/.exec(stdout ?? "")?.[0] ?? "0".repeat(40);
  return { commit, from: Number.parseInt(commit.slice(0, 8), 16) };
}
