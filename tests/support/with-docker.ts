import { spawnSync } from "node:child_process";

/**
 * Whether a Docker Engine answers. Where the tests have to run with it (`ACME_REQUIRE_DOCKER=1`, as CI does), a missing
 * one fails them instead of leaving them out.
 */
export function withDocker(): boolean {
  const answers = spawnSync("docker", ["info"], { stdio: "ignore" }).status === 0;
  if (!answers && process.env.ACME_REQUIRE_DOCKER === "1") {
    throw new Error("The Docker Engine doesn't answer: scripts/setup-docker.sh starts one");
  }
  return answers;
}
