import type { RetryOptions } from "../contract/manifest.ts";
import type { ApiClientConfiguration } from "./configuration.ts";

/** Options of one call to the API. */
export interface ApiRequestOptions {
  /**
   * Retries on connection errors, 408, 409, 429 and 5xx. Default: 3 attempts, with delays that double from 1
   * s up to 60 s. `{ maxAttempts: 1 }` turns retries off.
   */
  retry?: RetryOptions;
  /** Added to the request's headers. */
  additionalHeaders?: Record<string, string>;
  /** Another server or key, for this call only. */
  clientConfig?: ApiClientConfiguration;
  /** Aborts the call and its retries. */
  signal?: AbortSignal;
  /** How many milliseconds a single attempt may take. Default: 60,000. */
  timeoutInMs?: number;
}
export type TriggerApiRequestOptions = ApiRequestOptions;
