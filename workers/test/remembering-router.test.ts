import { Hono } from "hono";
import { describe, expect, it } from "vitest";
import { RememberingRouter } from "../src/http/remembering-router.ts";

describe("the caching router", () => {
  it("routes a repeated path as before, by method, with its own parameters", async () => {
    const app = new Hono({ router: new RememberingRouter() })
      .use("/runs/*", async (c, next) => {
        await next();
        c.header("seen", c.req.path);
      })
      .get("/runs/:id", (c) => c.text(`get ${c.req.param("id")}`))
      .post("/runs/:id", (c) => c.text(`post ${c.req.param("id")}`));
    const ask = async (method: string, path: string) => {
      const answer = await app.request(path, { method });
      return `${answer.status} ${answer.headers.get("seen")} ${await answer.text()}`;
    };
    for (let round = 0; round < 3; round++) {
      expect(await ask("GET", "/runs/a%20b")).toBe("200 /runs/a b get a b");
      expect(await ask("POST", "/runs/a%20b")).toBe("200 /runs/a b post a b");
      expect(await ask("GET", "/runs/c")).toBe("200 /runs/c get c");
      expect(await ask("GET", "/other")).toMatch(/^404/);
    }
  });

  it("keeps a limited number of paths", async () => {
    const app = new Hono({ router: new RememberingRouter() }).get("/runs/:id", (c) =>
      c.text(c.req.param("id")),
    );
    for (let i = 0; i < 1_200; i++) expect(await (await app.request(`/runs/${i}`)).text()).toBe(String(i));
  });
});
