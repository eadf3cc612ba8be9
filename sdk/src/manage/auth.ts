import { type ApiClientConfiguration, configure } from "../client/configuration.ts";
import { withConfiguration } from "../client/configuration-scope.ts";

export { configure };

export const auth = {
  configure,
  /** Calls `fn`. Every API call within it uses this server and key. */
  withAuth: <T>(config: ApiClientConfiguration, fn: () => Promise<T>): Promise<T> =>
    withConfiguration(config, fn),
};
