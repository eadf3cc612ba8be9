import { createContext, useContext, useMemo } from "react";
import type { LiveConnection } from "../live/shared-client.ts";

export interface TriggerAuth {
  /** The server. */
  baseURL?: string;
  /** A public token, or a function that returns one, which must be the same function at each render. */
  accessToken?: string | (() => string | Promise<string>);
}

/**
 * Provides the server and token for all hooks below it: `<TriggerAuthContext.Provider value={{ baseURL,
 * accessToken }}>`.
 */
export const TriggerAuthContext = createContext<TriggerAuth | undefined>(undefined);
TriggerAuthContext.displayName = "TriggerAuthContext";

/** Returns the context's server and token. @throws Error if there is no context */
export function useTriggerAuthContext(): TriggerAuth {
  const context = useContext(TriggerAuthContext);
  if (context) return context;
  throw new Error("Put <TriggerAuthContext.Provider value={{ baseURL, accessToken }}> around this component");
}

/** Like `useTriggerAuthContext`, but returns an empty object if there is no context. */
export const useTriggerAuthContextOptional = (): TriggerAuth => useContext(TriggerAuthContext) ?? {};

/** Returns the server and token of a hook: its own options, or else those of the context. */
export function useConnection(options: TriggerAuth = {}): LiveConnection {
  const context = useContext(TriggerAuthContext);
  const baseURL = options.baseURL ?? context?.baseURL;
  const accessToken = options.accessToken ?? context?.accessToken;
  return useMemo(
    () => ({
      ...(baseURL === undefined ? {} : { baseURL }),
      ...(accessToken === undefined ? {} : { accessToken }),
    }),
    [baseURL, accessToken],
  );
}
