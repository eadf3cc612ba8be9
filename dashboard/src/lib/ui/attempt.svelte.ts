import { messageOf } from "#lib/api/errors.ts";

/** An action that the server may refuse: whether it is in progress, and why the last one failed. */
export class Attempt {
  busy = $state(false);
  problem = $state<string | null>(null);

  async run(action: () => Promise<void>): Promise<void> {
    this.busy = true;
    this.problem = null;
    try {
      await action();
    } catch (error) {
      this.problem = messageOf(error);
    } finally {
      this.busy = false;
    }
  }
}
