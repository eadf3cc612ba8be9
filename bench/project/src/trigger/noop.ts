import { task } from "@acme/sdk";
import { mark } from "./mark.ts";

/** Does nothing; `marks` is the socket that hears when it started. */
export const noop = task({
  id: "noop",
  run: async (payload: { i: number; marks?: string }) => {
    if (payload.marks) mark(payload.marks, payload.i);
    return { i: payload.i };
  },
});
