import { spawnSync } from "node:child_process";

/**
 * Whether a Docker Engine answers. If the tests require one (`ACME_REQUIRE_DOCKER=1`, as in CI), a missing
 * Engine makes them fail instead of skipping them.
 */
export function withDocker(): boolean {
  const answers = spawnSync("docker", ["info"], { stdio: "ignore" }).status === 0;
  if (!answers && process.env.ACME_REQUIRE_DOCKER === "1") {
    throw new Error("The Docker Engine doesn't answer: scripts/setup-docker.sh starts one");
  }
  return answers;
}
