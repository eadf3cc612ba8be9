import { createContext, useContext, useMemo } from "react";
import type { LiveConnection } from "../live/shared-client.ts";

export interface TriggerAuth {
  /** The server. */
  baseURL?: string;
  /** A public token, or a function that gets one: the same function at each render. */
  accessToken?: string | (() => string | Promise<string>);
}

/** Gives all hooks below it their server and token: `<TriggerAuthContext.Provider value={{ baseURL, accessToken }}>`. */
export const TriggerAuthContext = createContext<TriggerAuth | undefined>(undefined);
TriggerAuthContext.displayName = "TriggerAuthContext";

/** The server and token that the context gives. @throws Error where there is none */
export function useTriggerAuthContext(): TriggerAuth {
  const context = useContext(TriggerAuthContext);
  if (context) return context;
  throw new Error("Put <TriggerAuthContext.Provider value={{ baseURL, accessToken }}> around this component");
}

/** The same; empty where there is none. */
export const useTriggerAuthContextOptional = (): TriggerAuth => useContext(TriggerAuthContext) ?? {};

/** The server and token of a hook: its own options, then those of the context. */
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
