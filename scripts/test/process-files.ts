/** Tests of one package that start real processes or containers. All others of the plain packages are unit tests. */
export const PROCESS_FILES = [
  "cli/test/build-project.test.ts",
  "container-host/test/{checkpoints,credentials,docker,host,main,suspension,die-with-parent,probe-criu}*.test.ts",
  "scripts/test/vitest-run.test.ts",
  "sdk/test/{durable,runtime,indexer}*.test.ts",
  "server/test/{alert-network,part}.test.ts",
];
