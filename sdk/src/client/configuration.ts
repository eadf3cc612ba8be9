import { scopedConfiguration } from "./configuration-scope.ts";
import type { ApiRequestOptions } from "./request-options.ts";

/** The server to call, and the key to call it with. */
export interface ApiClientConfiguration {
  /** Default: `ACME_API_URL`, else `TRIGGER_API_URL`. */
  baseURL?: string;
  /** Default: `ACME_SECRET_KEY`, else `TRIGGER_SECRET_KEY`. */
  accessToken?: string;
  /** @deprecated use `accessToken` */
  secretKey?: string;
  /**
   * The branch of a preview or development environment. Default: `ACME_PREVIEW_BRANCH`, else `TRIGGER_PREVIEW_BRANCH`; with a
   * development key `ACME_DEV_BRANCH`, else `TRIGGER_DEV_BRANCH`.
   */
  previewBranch?: string;
  /** Default options of every call. */
  requestOptions?: Omit<ApiRequestOptions, "clientConfig">;
}

/**
 * The address of the server or the key is missing: no call, no `configure()` and no environment variable
 * gives it.
 */
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

/**
 * Sets the server and the key for all calls of this process. Fields that are left out come from the
 * environment.
 */
export function configure(options: ApiClientConfiguration): void {
  configured = options;
}

/**
 * Returns an environment variable, or undefined where there is no environment: in browsers and in some
 * Workers.
 */
export function environmentVariable(name: string): string | undefined {
  const env = (globalThis as { process?: { env?: Record<string, string | undefined> } }).process?.env;
  return env?.[name] || undefined;
}

/** The branch that the environment's variables name: a development key's has variables of its own. */
function branchOf(accessToken: string): string | undefined {
  const which = accessToken.startsWith("tr_dev_") ? "DEV" : "PREVIEW";
  return environmentVariable(`ACME_${which}_BRANCH`) ?? environmentVariable(`TRIGGER_${which}_BRANCH`);
}

/**
 * Returns the configuration of a call: its own, then that of `auth.withAuth`, then of `configure()`, then the
 * environment's. A `TriggerClient` has its own in place of the second and third.
 * @throws ApiClientMissingError that names what is missing and how to set it
 */
export function resolveSettings(call: ApiClientConfiguration | undefined): ApiClientSettings {
  const scoped = scopedConfiguration();
  const config = { ...(scoped?.isIsolated ? {} : configured), ...scoped, ...call };
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
    previewBranch: config.previewBranch ?? branchOf(accessToken),
    requestOptions: config.requestOptions,
  };
}
