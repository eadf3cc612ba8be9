import type { RetryOptions } from "../contract/manifest.ts";
import type { ApiClientConfiguration } from "./configuration.ts";

/** How one call to the API is made. */
export interface ApiRequestOptions {
  /** Retries on connection errors, 408, 409, 429 and 5xx. Default: 3 attempts, ×2 from 1 s to 60 s; `{ maxAttempts: 1 }`: none. */
  retry?: RetryOptions;
  /** Added to the request's headers. */
  additionalHeaders?: Record<string, string>;
  /** Another server or key for this call alone. */
  clientConfig?: ApiClientConfiguration;
  /** Gives up the call, retries included. */
  signal?: AbortSignal;
  /** Milliseconds a single attempt may take. Default 60,000. */
  timeoutInMs?: number;
}
export type TriggerApiRequestOptions = ApiRequestOptions;
