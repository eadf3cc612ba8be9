/** Replaces `cloudflare:workers` in plain Node: the base class stores its constructor's arguments. */
export class DurableObject<Env> {
  protected readonly ctx: unknown;
  protected readonly env: Env;

  constructor(ctx: unknown, env: Env) {
    this.ctx = ctx;
    this.env = env;
  }
}

/** The Worker has no variables here. */
export const env = {};
