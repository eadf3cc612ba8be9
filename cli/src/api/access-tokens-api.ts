import {
  CompleteTokenResponse,
  CreatedAccessToken,
  StartDeviceLoginResponse,
  type TokenScope,
  WhoamiResponse,
} from "@acme/sdk/contract/api";
import { CliError } from "../errors.ts";
import { type ApiAccess, call, RefusalError, UnreachableError } from "./call.ts";

const OWN = "/api/v1/access-token";

/** Describes the access token. @throws CliError */
export const whoami = (access: ApiAccess): Promise<WhoamiResponse> =>
  call(access, WhoamiResponse, "GET", OWN);

/** Revokes the access token. @throws CliError */
export const revokeOwnToken = async (access: ApiAccess): Promise<void> => {
  await call(access, CompleteTokenResponse, "DELETE", OWN);
};

/** Begins a login that a person approves in a browser. @throws CliError */
export const startDeviceLogin = (
  apiUrl: string,
  clientName: string,
  scopes: TokenScope[] | undefined,
): Promise<StartDeviceLoginResponse> =>
  call({ apiUrl }, StartDeviceLoginResponse, "POST", "/api/v1/device/code", { clientName, scopes });

/** After `slow_down`, this much is added to the interval (RFC 8628, 3.5). */
const SLOWER_MS = 5_000;

interface Waiting {
  sleep: (ms: number) => Promise<void>;
  now: () => number;
}

const REAL: Waiting = {
  sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
  now: () => Date.now(),
};

/**
 * Polls until a person has approved or refused the login, or it has expired. @throws CliError that says why
 * there is no token
 */
export async function waitForToken(
  apiUrl: string,
  { deviceCode, interval, expiresIn }: StartDeviceLoginResponse,
  { sleep, now }: Waiting = REAL,
): Promise<CreatedAccessToken> {
  const end = now() + expiresIn * 1000;
  let pause = interval * 1000;
  while (now() < end) {
    await sleep(pause);
    try {
      return await call({ apiUrl }, CreatedAccessToken, "POST", "/api/v1/device/token", { deviceCode });
    } catch (error) {
      if (error instanceof RefusalError) {
        // Others behind the same address may have used up its rate limit.
        if (error.code === "slow_down" || error.status === 429) pause += SLOWER_MS;
        else if (error.code !== "authorization_pending" && error.status < 500) throw failed(error);
      } else if (!(error instanceof UnreachableError)) throw error;
    }
  }
  throw new CliError("The login was not approved in time. Run `acme login` again.");
}

function failed(error: RefusalError): CliError {
  if (error.code === "access_denied") return new CliError("The login was refused in the browser.");
  if (error.code === "expired_token")
    return new CliError("The login was not approved in time. Run `acme login` again.");
  return error;
}
