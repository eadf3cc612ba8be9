/** What the objects import from `cloudflare:workers`, for plain Node: the base class keeps what it is given. */
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
