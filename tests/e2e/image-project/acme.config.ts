import { defineConfig } from "@acme/sdk";
import { esbuildPlugin } from "@trigger.dev/build/extensions";
import { additionalFiles, aptGet, syncEnvVars } from "@trigger.dev/build/extensions/core";

export default defineConfig({
  project: process.env.TEST_PROJECT_REF ?? "proj_of_the_test",
  build: {
    extensions: [
      aptGet({ packages: ["cowsay"] }),
      additionalFiles({ files: ["assets/**"] }),
      syncEnvVars(async () => [{ name: "SYNCED", value: "by the extension" }]),
      esbuildPlugin({
        name: "greeting",
        setup(build) {
          build.onResolve({ filter: /^virtual:greeting$/ }, ({ path }) => ({ path, namespace: "greeting" }));
          build.onLoad({ filter: /.*/, namespace: "greeting" }, () => ({
            contents: 'export const greeting = "from a plugin";',
          }));
        },
      }),
    ],
  },
});
