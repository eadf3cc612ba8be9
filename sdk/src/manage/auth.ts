import { type ApiClientConfiguration, configure } from "../client/configuration.ts";
import { withConfiguration } from "../client/configuration-scope.ts";
import {
  type CreatePublicTokenOptions,
  type CreateTriggerTokenOptions,
  createBatchTriggerPublicToken,
  createPublicToken,
  createTriggerPublicToken,
} from "./public-tokens.ts";

export { configure };

/** Calls `fn`. Every API call within it uses this server and key. */
const withAuth = <T>(config: ApiClientConfiguration, fn: () => Promise<T>): Promise<T> =>
  withConfiguration(config, fn);

export const auth = {
  configure,
  withAuth,
  createPublicToken,
  createTriggerPublicToken,
  createBatchTriggerPublicToken,
  /** Calls `fn` with a new public token in place of the key. */
  withPublicToken: async <T>(options: CreatePublicTokenOptions, fn: () => Promise<T>): Promise<T> =>
    withAuth({ accessToken: await createPublicToken(options) }, fn),
  /** Calls `fn` with a token that triggers one run of these tasks. */
  withTriggerPublicToken: async <T>(
    task: string | string[],
    options: CreateTriggerTokenOptions,
    fn: () => Promise<T>,
  ): Promise<T> => withAuth({ accessToken: await createTriggerPublicToken(task, options) }, fn),
  /** Calls `fn` with a token that triggers one batch of these tasks. */
  withBatchTriggerPublicToken: async <T>(
    task: string | string[],
    options: CreateTriggerTokenOptions,
    fn: () => Promise<T>,
  ): Promise<T> => withAuth({ accessToken: await createBatchTriggerPublicToken(task, options) }, fn),
};
