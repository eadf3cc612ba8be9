import { poolOf, stubs, TUNNEL_OPENING_HEADER } from "@acme/durable-objects/routing";
import type { EnvironmentRef, TunnelOpening } from "@acme/durable-objects/rpc";
import {
  LIMITS,
  TUNNEL_CLOSE,
  TUNNEL_PATH,
  TUNNEL_SUBPROTOCOL,
  type TunnelFailure,
  TunnelQuery,
  tunnelHostPrefix,
} from "@acme/sdk/contract";
import {
  RegisterDevelopmentBody,
  type RegisteredDevelopment,
  type TunnelTicket,
} from "@acme/sdk/contract/api";
import { LIVE_TOKEN_SUBPROTOCOL } from "@acme/sdk/contract/live";
import { type Context, Hono } from "hono";
import { authenticateKey, type TokenHolder, tokenHolder } from "../auth/credentials.ts";
import { access } from "../auth/middleware.ts";
import { keyProof, proofOf } from "../auth/proof.ts";
import { issuePublicToken } from "../auth/tokens.ts";
import type { App } from "../bindings.ts";
import { readBody } from "../http/body.ts";
import { Failure, invalid } from "../http/failure.ts";
import { offeredToken, refuseSocket, type SocketRoute } from "../http/socket-request.ts";
import { freshDeployment } from "../runs/current-deployment.ts";
import { checkDeclaredLimits, checkSchedules, promoteTo } from "../runs/deployments.ts";
import { openRepository } from "../storage/open.ts";

/** The only scope of a ticket's token: it opens a tunnel and does nothing else. */
const TUNNEL_SCOPE = "open:tunnel";
const TICKET_SECONDS = 60;
const TUNNEL: SocketRoute = {
  subprotocol: TUNNEL_SUBPROTOCOL,
  upgradeRequired: "This address takes the WebSocket of `acme dev` only: run `npx acme dev` in your project.",
  unknownSubprotocol: `Offer the WebSocket subprotocol ${TUNNEL_SUBPROTOCOL}: this server speaks no other here. Do the versions of the CLI and the server match?`,
  unavailable: "The server could not open the tunnel. Try again.",
};
/**
 * The number of versions of a development environment that are kept. Each saved change of a file creates one.
 */
const KEPT_VERSIONS = 200;

/**
 * Routes for `acme dev`: registering the tasks of the developer's machine, and the tunnel through which it
 * gets their runs.
 */
export const developmentRoutes = new Hono<App>()
  .post("/engine/v1/dev/versions", access("registerDevelopment"), async (c) => {
    const { environment } = c.var;
    requireDevelopment(environment);
    const { contentHash, bundleBytes, manifest } = await readBody(
      c,
      RegisterDevelopmentBody,
      LIMITS.manifestBytes,
    );
    checkSchedules(manifest);
    checkDeclaredLimits(manifest);
    const { key } = environment;
    const current = await freshDeployment(c.env, key);
    if (current?.deployment.contentHash === contentHash) {
      const { id: deploymentId, version } = current.deployment;
      return c.json({ deploymentId, version } satisfies RegisteredDevelopment);
    }
    const repository = openRepository(c.env);
    const created = await repository.createDeployment({
      environmentKey: key,
      contentHash,
      bundleBytes,
      manifest,
    });
    await promoteTo(c.env, environment, created);
    await repository.pruneDeployments(key, KEPT_VERSIONS);
    const { id: deploymentId, version } = created;
    return c.json({ deploymentId, version } satisfies RegisteredDevelopment, 201);
  })
  .post("/engine/v1/dev/tunnel", access("createTunnelTicket"), async (c) => {
    const { environment } = c.var;
    requireDevelopment(environment);
    const { key, id, slug, project } = environment;
    const ticket: TunnelTicket = {
      token: issuePublicToken(c.env, key, {
        scopes: [TUNNEL_SCOPE],
        seconds: TICKET_SECONDS,
        proof: proofOf(c, c.var.credential),
      }),
      environment: { key, id, slug },
      project: { ref: project.ref, name: project.name },
    };
    return c.json(ticket);
  })
  .get(TUNNEL_PATH, access("openTunnel"), async (c) => {
    const token = offeredToken(c, TUNNEL);
    try {
      const { environment, proof = "" } = await openerOf(c, token);
      const query = TunnelQuery.safeParse(c.req.query());
      if (!query.success) throw invalid(query.error);
      const { machine, name, takeOver } = query.data;
      const opening: TunnelOpening = {
        principal: {
          environmentKey: environment.key,
          environmentId: environment.id,
          proof,
          hostId: tunnelHostPrefix(environment.key) + machine,
          name,
        },
        takeOver: takeOver === "1",
      };
      const headers = { upgrade: "websocket", [TUNNEL_OPENING_HEADER]: JSON.stringify(opening) };
      return await stubs(c.env).dispatcher(poolOf(environment)).fetch("https://tunnel/", { headers });
    } catch (error) {
      return refuseSocket(error, TUNNEL, { message, closeCode });
    }
  });

/** The environment of a tunnel, and what has to stay valid for it. */
type Opener = Pick<TokenHolder, "environment" | "proof">;

async function openerOf(c: Context<App>, key: string | undefined): Promise<Opener> {
  if (!key) {
    throw new Failure(
      401,
      "missing_api_key",
      `No key was given: offer it as the WebSocket subprotocol ${LIVE_TOKEN_SUBPROTOCOL}KEY.`,
    );
  }
  const opener = key.startsWith("tr_")
    ? { ...(await authenticateKey(c, key)), proof: keyProof(key) }
    : await ofTicket(c, key);
  requireDevelopment(opener.environment);
  return opener;
}

/** Throws a 401. */
async function ofTicket(c: Context<App>, token: string): Promise<Opener> {
  const holder = await tokenHolder(c.env, token);
  if (holder?.scopes?.includes(TUNNEL_SCOPE)) return holder;
  throw new Failure(401, "invalid_ticket", "The tunnel's token is invalid or expired. Run `acme dev` again.");
}

/** Throws a 422. */
function requireDevelopment({ slug, type }: EnvironmentRef): void {
  if (type === "DEVELOPMENT") return;
  throw new Failure(
    422,
    "not_development",
    `Runs of environment "${slug}" execute on container hosts: \`acme dev\` takes a development environment, by your login or its secret key (tr_dev_…). To run there, use: npx acme deploy --env ${slug}`,
  );
}

const message = ({ status, code, message: error }: Failure): TunnelFailure => ({
  id: 0,
  status,
  code,
  error,
});

function closeCode(status: number): number {
  if (status === 401) return TUNNEL_CLOSE.unauthorized;
  if (status === 403) return TUNNEL_CLOSE.forbidden;
  if (status < 500) return TUNNEL_CLOSE.protocol;
  return TUNNEL_CLOSE.unavailable;
}
