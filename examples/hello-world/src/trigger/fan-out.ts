import { task } from "@acme/sdk";
import { helloWorld } from "./hello-world.ts";

/** Triggers `n` runs of another task, and does not wait for them. */
export const fanOut = task({
  id: "fan-out",
  run: async (payload: { n: number }) => {
    const handles = await Promise.all(
      Array.from({ length: payload.n }, (_, index) => helloWorld.trigger({ name: `number ${index + 1}` })),
    );
    return { ids: handles.map((handle) => handle.id) };
  },
});
