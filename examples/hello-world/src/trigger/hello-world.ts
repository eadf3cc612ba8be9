import { logger, task } from "@acme/sdk";

/** The smallest task: a payload comes in, what `run` returns is the run's output. */
export const helloWorld = task({
  id: "hello-world",
  run: async (payload: { name: string }) => {
    logger.info("Greeting", { name: payload.name });
    return { message: `Hello, ${payload.name}!` };
  },
});
