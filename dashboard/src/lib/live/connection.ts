import { LiveClient, type LiveStatus } from "@acme/sdk/live";
import { createContext } from "svelte";

/** The page's only socket to its environment; `frame/Frame.svelte` opens and closes it. */
export const [getLive, setLive] = createContext<LiveClient>();

export const openLive = (environment: string): LiveClient => new LiveClient({ environment });

/** Whether to show that changes don't arrive, but not until the first connection has had enough time. */
export const isBroken = (status: LiveStatus): boolean => status === "waiting" || status === "refused";
