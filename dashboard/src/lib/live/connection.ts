import { LiveClient, type LiveStatus } from "@acme/sdk/live";
import { createContext } from "svelte";

/** The one socket of the page to its environment; `frame/Frame.svelte` opens and closes it. */
export const [getLive, setLive] = createContext<LiveClient>();

export const openLive = (environment: string): LiveClient => new LiveClient({ environment });

/** Whether to say that changes don't arrive: not before the first connection has had its time. */
export const isBroken = (status: LiveStatus): boolean => status === "waiting" || status === "refused";
