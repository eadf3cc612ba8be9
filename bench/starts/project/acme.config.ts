import { defineConfig } from "@acme/sdk";

export default defineConfig({ project: "proj_default", dirs: ["./src/trigger"] });
