/** The files that `acme init` adds. */

export const configFile = (project: string): string => `import { defineConfig } from "@acme/sdk";

export default defineConfig({
  project: ${JSON.stringify(project)},
  dirs: ["./src/trigger"],
  // Seconds that a run may take.
  maxDuration: 300,
  retries: {
    default: { maxAttempts: 3, minTimeoutInMs: 1_000, maxTimeoutInMs: 10_000, factor: 2, randomize: true },
  },
});
`;

export const EXAMPLE_FILE = "src/trigger/hello-world.ts";

export const EXAMPLE = `import { logger, task, wait } from "@acme/sdk";

/** Trigger it: npx acme trigger hello-world '{"name":"you"}' --env dev --wait */
export const helloWorld = task({
  id: "hello-world",
  run: async ({ name }: { name: string }) => {
    logger.info("Greeting", { name });
    await wait.for({ seconds: 1 });
    return { message: \`Hello, \${name}!\` };
  },
});
`;

export const TSCONFIG = `{
  "compilerOptions": {
    "target": "es2024",
    "module": "esnext",
    "moduleResolution": "bundler",
    "strict": true,
    "skipLibCheck": true,
    "noEmit": true
  },
  "include": ["src", "acme.config.ts"]
}
`;

export const SCRIPTS: Record<string, string> = {
  "acme:dev": "acme dev",
  "acme:deploy": "acme deploy",
};
