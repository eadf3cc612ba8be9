import type { HostInfo, RegisteredHostRecord } from "@acme/durable-objects/rpc";
import type { EnvironmentHost, HostBody } from "@acme/sdk/contract";
import { isoTime, optionalTime } from "./time.ts";

/** A host that was not seen for this long is no longer shown to the organizations whose runs it executed. */
const FORGOTTEN_MS = 24 * 3_600_000;

function stateOf({ revokedAt, isConnected, drainingAt }: RegisteredHostRecord): HostBody["state"] {
  if (revokedAt !== null) return "revoked";
  if (!isConnected) return "disconnected";
  return drainingAt === null ? "connected" : "draining";
}

/** Returns a host as administrators see it. */
export const hostView = (host: RegisteredHostRecord): HostBody => ({
  hostId: host.hostId,
  name: host.name ?? undefined,
  state: stateOf(host),
  registeredAt: isoTime(host.registeredAt),
  revokedAt: optionalTime(host.revokedAt),
  drainingAt: optionalTime(host.drainingAt),
  lastSeenAt: optionalTime(host.lastSeenAt),
  polls: host.polls,
  about: host.about,
});

/** Returns a host as seen by the organizations whose runs it executes; null if it does not concern them. */
export function environmentHostView(host: RegisteredHostRecord, now: number): EnvironmentHost | null {
  const state = stateOf(host);
  if (state === "revoked") return null;
  if (state === "disconnected" && now - (host.lastSeenAt ?? host.registeredAt) > FORGOTTEN_MS) return null;
  const { about } = host;
  return {
    hostId: host.hostId,
    name: host.name ?? undefined,
    state,
    drainingAt: optionalTime(host.drainingAt),
    lastSeenAt: optionalTime(host.lastSeenAt),
    version: about?.version,
    executor: about?.executor,
    slots: about?.slots,
    savesProcesses: about && about.checkpoints !== null,
  };
}

/** The machine of `acme dev`. */
export const tunnelHostView = ({ hostId, lastSeenAt }: HostInfo): EnvironmentHost => ({
  hostId,
  state: "connected",
  lastSeenAt: isoTime(lastSeenAt),
});
