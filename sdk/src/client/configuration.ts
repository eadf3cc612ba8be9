import { scopedConfiguration } from "./configuration-scope.ts";
import type { ApiRequestOptions } from "./request-options.ts";

/** Which server, with which key. */
export interface ApiClientConfiguration {
  /** Default: `ACME_API_URL`, else `TRIGGER_API_URL`. */
  baseURL?: string;
  /** Default: `ACME_SECRET_KEY`, else `TRIGGER_SECRET_KEY`. */
  accessToken?: string;
  /** @deprecated use `accessToken` */
  secretKey?: string;
  /** Branch of a preview environment. */
  previewBranch?: string;
  /** Defaults for every call. */
  requestOptions?: Omit<ApiRequestOptions, "clientConfig">;
}

/** Neither a call nor `configure()` nor the environment says where the server is or which key to use. */
export class ApiClientMissingError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "ApiClientMissingError";
  }
}

export interface ApiClientSettings {
  baseURL: string;
  accessToken: string;
  previewBranch?: string;
  requestOptions?: Omit<ApiRequestOptions, "clientConfig">;
}

let configured: ApiClientConfiguration = {};

/** Sets server and key for all calls of this process; only what is given overrides the environment. */
export function configure(options: ApiClientConfiguration): void {
  configured = options;
}

/** A variable of the environment, where there is one: browsers and some Workers have none. */
export function environmentVariable(name: string): string | undefined {
  const env = (globalThis as { process?: { env?: Record<string, string | undefined> } }).process?.env;
  return env?.[name] || undefined;
}

/**
 * What a call uses: its own configuration, then `auth.withAuth`'s, then `configure()`'s, then the environment's.
 * @throws ApiClientMissingError naming what is missing and how to give it
 */
export function resolveSettings(call: ApiClientConfiguration | undefined): ApiClientSettings {
  const config = { ...configured, ...scopedConfiguration(), ...call };
  const baseURL =
    config.baseURL ?? environmentVariable("ACME_API_URL") ?? environmentVariable("TRIGGER_API_URL");
  const accessToken =
    config.accessToken ??
    config.secretKey ??
    environmentVariable("ACME_SECRET_KEY") ??
    environmentVariable("TRIGGER_SECRET_KEY");
  if (!baseURL) {
    throw new ApiClientMissingError(
      'Which server? Set ACME_API_URL (or TRIGGER_API_URL), or call configure({ baseURL: "https://…" })',
    );
  }
  if (!/^https?:\/\//.test(baseURL) || !URL.canParse(baseURL)) {
    throw new ApiClientMissingError(
      `"${baseURL}" is not the address of a server: it has to start with https:// or http://`,
    );
  }
  if (!accessToken) {
    throw new ApiClientMissingError(
      'No API key: set ACME_SECRET_KEY (or TRIGGER_SECRET_KEY), or call configure({ accessToken: "tr_dev_…" })',
    );
  }
  return {
    baseURL: baseURL.replace(/\/+$/, ""),
    accessToken,
    previewBranch: config.previewBranch ?? environmentVariable("TRIGGER_PREVIEW_BRANCH"),
    requestOptions: config.requestOptions,
  };
}
