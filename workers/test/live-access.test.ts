import { runDurableObjectAlarm } from "cloudflare:test";
import { env, exports } from "cloudflare:workers";
import { LIVE_CLOSE, LIVE_SUBPROTOCOL, LIVE_TOKEN_SUBPROTOCOL } from "@acme/sdk/contract/live";
import { beforeAll, describe, expect, it } from "vitest";
import { createToken } from "./access-token.ts";
import { call, deploy, newProject, type Project } from "./client.ts";
import { anEmail, signIn } from "./person.ts";

let project: Project;
let runId: string;
beforeAll(async () => {
  project = await newProject();
  await deploy(project, ["hello"]);
  runId = (await call<{ id: string }>("POST", "/api/v1/tasks/hello/trigger", project.prod, {})).body.id;
});

const nameOf = ({ ref }: Project): string => ref.slice(5);

async function viewersToken(of: Project = project, scopes: ("read" | "deploy")[] = ["read"]) {
  const person = await signIn(anEmail(), { organization: nameOf(of), role: "viewer" });
  const made = await createToken(person, { organization: nameOf(of), scopes });
  return { person, ...made };
}

/**
 * Returns the server's messages on a connection that subscribes to a run, until it closes the connection or
 * has sent the run.
 */
async function follow(token: string, environment = `${project.ref}/prod`) {
  const response = await exports.default.fetch(
    `http://acme.test/api/v1/live?environment=${encodeURIComponent(environment)}`,
    {
      headers: {
        upgrade: "websocket",
        "sec-websocket-protocol": `${LIVE_SUBPROTOCOL}, ${LIVE_TOKEN_SUBPROTOCOL}${token}`,
      },
    },
  );
  const socket = response.webSocket;
  if (!socket) throw new Error(`No connection: ${response.status} ${await response.text()}`);
  const { promise: shown, resolve } = Promise.withResolvers<object>();
  const { promise: closed, resolve: close } = Promise.withResolvers<number>();
  const errors: string[] = [];
  socket.addEventListener("message", ({ data }) => {
    const message = JSON.parse(String(data)) as { type: string; code?: string };
    if (message.type === "error") errors.push(message.code ?? "");
    if (message.type === "run" || message.type === "runs") resolve(message);
  });
  socket.addEventListener("close", ({ code }) => close(code));
  socket.accept();
  socket.send(JSON.stringify({ type: "subscribe", id: "1", target: { kind: "run", runId } }));
  return { shown, closed, errors, close: () => socket.close() };
}

describe("a live connection with an access token", () => {
  it("shows a viewer what they may read", async () => {
    const { token } = await viewersToken();
    const connection = await follow(token);
    expect(await connection.shown).toMatchObject({ run: { id: runId } });
    connection.close();
  });

  it("takes the organization's own token", async () => {
    const connection = await follow(project.accessToken);
    expect(await connection.shown).toMatchObject({ run: { id: runId } });
    connection.close();
  });

  it.each([
    [
      "of another organization",
      async () => (await viewersToken(await newProject())).token,
      "environment_not_found",
    ],
    [
      "without the scope to read",
      async () => (await viewersToken(project, ["deploy"])).token,
      "scope_missing",
    ],
    ["that is unknown", async () => `tr_pat_${"x".repeat(40)}`, "invalid_access_token"],
  ])("refuses one %s", async (_, make, code) => {
    const connection = await follow(await make());
    await connection.closed;
    expect(connection.errors).toEqual([code]);
  });

  it("that names no environment is refused", async () => {
    const connection = await follow(project.accessToken, "");
    await connection.closed;
    expect(connection.errors).toEqual(["environment_missing"]);
  });

  it("ends with the token, and with the membership", async () => {
    const owner = await signIn(anEmail(), { organization: nameOf(project), role: "owner" });
    const [revoked, removed] = [await viewersToken(), await viewersToken()];
    const connections = [await follow(revoked.token), await follow(removed.token)];
    await Promise.all(connections.map(({ shown }) => shown));
    await revoked.person.call("DELETE", `/api/v1/me/access-tokens/${revoked.id}`);
    const member = `/api/v1/organizations/${nameOf(project)}/members/${removed.person.userId}`;
    expect((await owner.call("DELETE", member)).status).toBe(200);
    const { LIVE } = env;
    expect(await runDurableObjectAlarm(LIVE.getByName(project.prodKey))).toBe(true);
    expect(await Promise.all(connections.map(({ closed }) => closed))).toEqual([
      LIVE_CLOSE.unauthorized,
      LIVE_CLOSE.unauthorized,
    ]);
  });
});
