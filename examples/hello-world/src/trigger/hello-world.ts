import { logger, task } from "@acme/sdk";

/** The smallest task: `run` gets the payload, and its return value is the run's output. */
export const helloWorld = task({
  id: "hello-world",
  run: async (payload: { name: string }) => {
    logger.info("Greeting", { name: payload.name });
    return { message: `Hello, ${payload.name}!` };
  },
});
