import { DurableObject } from "cloudflare:workers";

const reply = (body) => new Response(body, { headers: { "content-type": "application/json" } });

/** The least that a durable trigger costs on this platform: what Acme's figures are to be compared with. */
export class Floor extends DurableObject {
  #round = [];

  constructor(ctx, env) {
    super(ctx, env);
    ctx.storage.sql.exec("CREATE TABLE IF NOT EXISTS runs (id INTEGER PRIMARY KEY, payload TEXT)");
  }

  nothing() {
    return 1;
  }

  insert(payload) {
    this.ctx.storage.sql.exec("INSERT INTO runs (payload) VALUES (?)", payload);
    return 1;
  }

  /** All that arrive in one turn of the event loop share a transaction, and so a flush. */
  grouped(payload) {
    return new Promise((resolve, reject) => {
      this.#round.push({ payload, resolve, reject });
      if (this.#round.length === 1) scheduler.wait(0).then(() => this.#commit());
    });
  }

  #commit() {
    const round = this.#round;
    this.#round = [];
    try {
      this.ctx.storage.transactionSync(() => {
        for (const { payload } of round)
          this.ctx.storage.sql.exec("INSERT INTO runs (payload) VALUES (?)", payload);
      });
      for (const { resolve } of round) resolve(1);
    } catch (error) {
      for (const { reject } of round) reject(error);
    }
  }
}

export default {
  async fetch(request, env) {
    const { pathname } = new URL(request.url);
    if (pathname === "/hello") return reply('{"ok":true}');
    const payload = await request.text();
    if (pathname === "/body") return reply(payload);
    const object = env.FLOOR.getByName("floor");
    if (pathname === "/rpc") await object.nothing();
    else if (pathname === "/insert") await object.insert(payload);
    else if (pathname === "/grouped") await object.grouped(payload);
    else return new Response("not found", { status: 404 });
    return reply('{"ok":true}');
  },
};
