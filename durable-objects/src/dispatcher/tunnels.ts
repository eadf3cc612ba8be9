import {
  DequeueRequest,
  type HostDeployment,
  parseRunId,
  ReportRequest,
  type ReportResponse,
  TUNNEL_CLOSE,
  type TunnelFailure,
  TunnelRequest,
} from "@acme/sdk/contract";
import type { z } from "zod";
import { log } from "../lib/log.ts";
import type { ObjectSocket } from "../lib/object-sockets.ts";
import type { LeasedRun } from "../queue/rpc.ts";
import type { PollResult } from "./rpc.ts";

/** Header with the authenticated principal that opens a tunnel, as a TunnelOpening. The Worker sets it. */
export const TUNNEL_OPENING_HEADER = "x-acme-tunnel-opening";

export interface TunnelOpening {
  principal: TunnelPrincipal;
  /** Ends the tunnel of another machine. */
  takeOver: boolean;
}

/** The machine at the other end. It is stored in the socket's attachment, so it has to be small. */
export interface TunnelPrincipal {
  environmentKey: string;
  environmentId: string;
  /** The key, access token or session that it was opened with, which the Worker can check again. */
  proof: string;
  hostId: string;
  /** Display name of the machine. */
  name: string;
}

/** What tunnels need of the Worker. */
export interface TunnelDependencies<Env> {
  /** Returns the JSON text of a DequeueResponse. */
  dequeueResponse(env: Env, hostId: string, result: PollResult): string;
  applyReport(env: Env, report: Report): Promise<ReportResponse>;
  /** Returns null if the environment has no such deployment. */
  deployment(env: Env, environmentKey: string, deploymentId: string): Promise<HostDeployment | null>;
  /** Whether what a tunnel was opened with is still valid. */
  isValid(env: Env, principal: TunnelPrincipal): Promise<boolean>;
}

export type Report = z.output<typeof ReportRequest>;
type Dequeue = z.output<typeof DequeueRequest>;

export type TunnelSocket = ObjectSocket<SavedTunnel>;

/** The state from which a tunnel is restored when its object wakes up. */
export interface SavedTunnel {
  principal: TunnelPrincipal;
  openedAt: number;
  /** The host's session; null: it has not sent a request yet. */
  sessionId: string | null;
  /** Unanswered requests for runs: their ids, and how many runs each asks for. */
  polls: [id: number, max: number][];
}

/** What tunnels need of their object. */
interface Owner {
  now(): number;
  /**
   * Requests runs until `answer` is called, once. Returns a function that withdraws the request; null if the
   * session has ended.
   */
  poll(
    request: Pick<Dequeue, "hostId" | "sessionId" | "max">,
    answer: (result: PollResult) => void,
  ): (() => void) | null;
  /** Returns runs that did not reach the machine to their queues. */
  giveBack(runs: LeasedRun[]): void;
  /** Ends the sessions of all hosts but this one. */
  endOthers(hostId: string): void;
  hostSeen(hostId: string, sessionId: string, goodbye: boolean): Promise<void>;
  /** The session has lost its connection. It ends unless it gets another one soon. */
  disconnected(sessionId: string): void;
  dequeueResponse(hostId: string, result: PollResult): string;
  applyReport(report: Report): Promise<ReportResponse>;
  deployment(environmentKey: string, deploymentId: string): Promise<HostDeployment | null>;
  isValid(principal: TunnelPrincipal): Promise<boolean>;
}

interface Tunnel extends Omit<SavedTunnel, "polls"> {
  /** Requests for runs, by id. `withdraw` ends the wait without an answer. */
  polls: Map<number, { max: number; withdraw(): void }>;
  /** Runs that were sent and whose arrival the machine has not confirmed, by the id of the request. */
  unconfirmed: Map<number, LeasedRun[]>;
  /** What was found out last about what it was opened with. */
  checked: { at: number; isValid: Promise<boolean> } | null;
}

/** The maximum number of requests for runs that wait on one connection. */
const MAX_POLLS = 16;
/** Whether a tunnel may still get runs is found out again after this time: a key that was revoked then gets none. */
const FRESH_MS = 10_000;
const MAX_MESSAGE_CHARACTERS = 32 * 1024 * 1024;

/**
 * The tunnels of one development environment's pool. A tunnel is
 *
 * - **open**: its machine gets the environment's runs. There is at most one: a connection of the same machine replaces the
 *   earlier one, and one of another machine is refused, unless it takes over;
 * - **closed**: the machine's session is kept for a moment, so that it can reconnect without losing a run.
 *   Runs that were in transit are queued again.
 */
export class Tunnels {
  readonly #owner: Owner;
  readonly #tunnels = new Map<TunnelSocket, Tunnel>();

  constructor(owner: Owner) {
    this.#owner = owner;
  }

  /** Restores a socket that was open when the object hibernated. */
  restore(socket: TunnelSocket, saved: SavedTunnel): void {
    const tunnel: Tunnel = { ...saved, polls: new Map(), unconfirmed: new Map(), checked: null };
    this.#tunnels.set(socket, tunnel);
    for (const [id, max] of saved.polls) this.#poll(socket, tunnel, id, max);
  }

  open(socket: TunnelSocket, { principal, takeOver }: TunnelOpening): void {
    const { hostId } = principal;
    for (const [other, tunnel] of [...this.#tunnels]) {
      if (tunnel.principal.hostId === hostId) {
        const message = "Another connection of this machine replaced this one.";
        this.#end(other, 409, "tunnel_replaced", message, TUNNEL_CLOSE.replaced);
      } else if (takeOver) {
        const message = `${principal.name} took over the runs of this environment.`;
        this.#end(other, 409, "tunnel_taken_over", message, TUNNEL_CLOSE.takenOver);
      } else {
        const since = new Date(tunnel.openedAt).toISOString();
        const message = `${tunnel.principal.name} executes the runs of this environment, since ${since}. Stop \`acme dev\` there, or take over with \`acme dev --take-over\`.`;
        refuse(socket, 409, "tunnel_busy", message, TUNNEL_CLOSE.busy);
        return;
      }
    }
    this.#owner.endOthers(hostId);
    const tunnel: Tunnel = {
      principal,
      openedAt: this.#owner.now(),
      sessionId: null,
      polls: new Map(),
      unconfirmed: new Map(),
      checked: { at: this.#owner.now(), isValid: Promise.resolve(true) },
    };
    this.#tunnels.set(socket, tunnel);
    this.#save(socket, tunnel);
  }

  /** Returns whether a session has a connection. */
  isOpen(sessionId: string): boolean {
    return [...this.#tunnels.values()].some((tunnel) => tunnel.sessionId === sessionId);
  }

  get size(): number {
    return this.#tunnels.size;
  }

  async message(socket: TunnelSocket, text: string): Promise<void> {
    const tunnel = this.#tunnels.get(socket);
    if (!tunnel) return;
    const parsed = text.length <= MAX_MESSAGE_CHARACTERS ? TunnelRequest.safeParse(jsonOf(text)) : null;
    if (!parsed?.success) {
      const message = parsed
        ? "The message is not a request of the tunnel's protocol: do the versions of the CLI and the server match?"
        : `The message is longer than ${MAX_MESSAGE_CHARACTERS} characters.`;
      refuse(socket, 400, "invalid_message", message, TUNNEL_CLOSE.protocol);
      this.closed(socket);
      return;
    }
    const request = parsed.data;
    if (request.call === "received") {
      tunnel.unconfirmed.delete(request.id);
      return;
    }
    try {
      await this.#handle(socket, tunnel, request);
    } catch (error) {
      log.error("A request of a tunnel failed", { host: tunnel.principal.hostId, error });
      fail(socket, request.id, 503, "unavailable", "The server could not do that now. Send it again.");
    }
  }

  /** Handles the close of a socket. */
  closed(socket: TunnelSocket): void {
    const tunnel = this.#tunnels.get(socket);
    if (!tunnel) return;
    this.#tunnels.delete(socket);
    for (const { withdraw } of tunnel.polls.values()) withdraw();
    this.#owner.giveBack([...tunnel.unconfirmed.values()].flat());
    const { sessionId } = tunnel;
    if (sessionId !== null && !this.isOpen(sessionId)) this.#owner.disconnected(sessionId);
  }

  async #handle(
    socket: TunnelSocket,
    tunnel: Tunnel,
    request: Exclude<TunnelRequest, { call: "received" }>,
  ): Promise<void> {
    const { id } = request;
    const { environmentKey, hostId } = tunnel.principal;
    switch (request.call) {
      case "dequeue": {
        const asked = DequeueRequest.safeParse(request.body);
        if (!asked.success) return fail(socket, id, 400, "invalid_body", asked.error.message);
        if (tunnel.polls.size >= MAX_POLLS || tunnel.polls.has(id))
          return fail(
            socket,
            id,
            429,
            "too_many_polls",
            `At most ${MAX_POLLS} requests for runs wait at once.`,
          );
        tunnel.sessionId = asked.data.sessionId;
        this.#poll(socket, tunnel, id, asked.data.max);
        // The call does not wait: it only makes the session known.
        if (asked.data.waitMs === 0) this.#answerNow(socket, tunnel, id);
        this.#save(socket, tunnel);
        return;
      }
      case "report": {
        const report = ReportRequest.safeParse(request.body);
        if (!report.success) return fail(socket, id, 400, "invalid_body", report.error.message);
        if (!isOf(report.data, environmentKey))
          return fail(socket, id, 403, "foreign_run", "The report names a run of another environment.");
        const { sessionId, goodbye = false } = report.data;
        const [answer] = await Promise.all([
          this.#owner.applyReport({ ...report.data, hostId }),
          this.#owner.hostSeen(hostId, sessionId, goodbye),
        ]);
        return succeed(socket, id, JSON.stringify(answer));
      }
      case "deployment": {
        const { deploymentId } = request.body;
        const found = await this.#owner.deployment(environmentKey, deploymentId);
        if (found) return succeed(socket, id, JSON.stringify(found));
        return fail(socket, id, 404, "deployment_not_found", `Deployment ${deploymentId} was not found.`);
      }
    }
  }

  #poll(socket: TunnelSocket, tunnel: Tunnel, id: number, max: number): void {
    const { hostId } = tunnel.principal;
    let isAnswered = false;
    const answer = (result: PollResult): void => {
      isAnswered = true;
      if (tunnel.polls.delete(id)) this.#save(socket, tunnel);
      if (result.runs.length === 0) {
        succeed(socket, id, this.#owner.dequeueResponse(hostId, result));
        return;
      }
      tunnel.unconfirmed.set(id, result.runs);
      void this.#deliver(socket, tunnel, id, result);
    };
    const withdraw = this.#owner.poll({ hostId, sessionId: tunnel.sessionId ?? "", max }, answer);
    if (withdraw && !isAnswered) tunnel.polls.set(id, { max, withdraw });
    else if (!withdraw) answer({ runs: [], notices: [], now: this.#owner.now(), ended: true });
  }

  /** Sends runs to a machine that may still have them; from another one they go back to their queues, with the tunnel's end. */
  async #deliver(socket: TunnelSocket, tunnel: Tunnel, id: number, result: PollResult): Promise<void> {
    const isValid = await this.#isValid(tunnel);
    if (!this.#tunnels.has(socket)) return;
    if (isValid) {
      succeed(socket, id, this.#owner.dequeueResponse(tunnel.principal.hostId, result));
      return;
    }
    const message =
      "The key or login that this `acme dev` was started with is not valid any more: it was revoked or has expired, or its person is no longer a developer of the organization. Run `acme login`, then `acme dev` again.";
    this.#end(socket, 401, "credential_ended", message, TUNNEL_CLOSE.unauthorized);
  }

  async #isValid(tunnel: Tunnel): Promise<boolean> {
    const now = this.#owner.now();
    if (!tunnel.checked || tunnel.checked.at <= now - FRESH_MS)
      tunnel.checked = { at: now, isValid: this.#owner.isValid(tunnel.principal) };
    try {
      return await tunnel.checked.isValid;
    } catch (error) {
      // A database that is away stops no developer.
      log.error("It could not be checked who opened a tunnel; the next delivery asks again", {
        host: tunnel.principal.hostId,
        error,
      });
      tunnel.checked = null;
      return true;
    }
  }

  #answerNow(socket: TunnelSocket, tunnel: Tunnel, id: number): void {
    const poll = tunnel.polls.get(id);
    if (!poll) return;
    poll.withdraw();
    tunnel.polls.delete(id);
    const nothing = { runs: [], notices: [], now: this.#owner.now() };
    succeed(socket, id, this.#owner.dequeueResponse(tunnel.principal.hostId, nothing));
  }

  #end(socket: TunnelSocket, status: number, code: string, message: string, close: number): void {
    refuse(socket, status, code, message, close);
    this.closed(socket);
  }

  #save(socket: TunnelSocket, { principal, openedAt, sessionId, polls }: Tunnel): void {
    const waiting = [...polls].map(([id, { max }]): [number, number] => [id, max]);
    socket.save({ principal, openedAt, sessionId, polls: waiting });
  }
}

/** Returns whether every run of the report belongs to the environment. */
function isOf(report: Report, environmentKey: string): boolean {
  const { started, completed, heartbeats, journals, suspensions, checkpoints, logs } = report;
  return [started, completed, heartbeats, journals, suspensions, checkpoints, logs]
    .flat()
    .every(({ runId }) => parseRunId(runId)?.environmentKey === environmentKey);
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** `body` is JSON text, which may be large, so it is embedded in the message without parsing. */
const succeed = (socket: TunnelSocket, id: number, body: string): void =>
  socket.send(`{"id":${id},"status":200,"body":${body}}`);

const fail = (socket: TunnelSocket, id: number, status: number, code: string, error: string): void =>
  socket.send(JSON.stringify({ id, status, code, error } satisfies TunnelFailure));

/** Sends the reason before the connection is closed. */
function refuse(
  socket: Pick<TunnelSocket, "send" | "close">,
  status: number,
  code: string,
  message: string,
  close: number,
): void {
  socket.send(JSON.stringify({ id: 0, status, code, error: message } satisfies TunnelFailure));
  socket.close(close, code);
}
