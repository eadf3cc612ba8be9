import type {
  ApproveDeviceLoginBody,
  CreatedAccessToken,
  DecidedDeviceLogin,
  DeviceLogin,
  StartDeviceLoginBody,
  StartDeviceLoginResponse,
  TokenScope,
} from "@acme/sdk/contract/api";
import { TOKEN_LIMITS } from "@acme/sdk/contract/api";
import { and, eq, gt, isNull, lt } from "drizzle-orm";
import type { Context } from "hono";
import type { z } from "zod";
import { randomSecret } from "../auth/random-secret.ts";
import { digest } from "../auth/tokens.ts";
import { countWrongKey, refuseGuesses } from "../auth/wrong-keys.ts";
import type { App } from "../bindings.ts";
import { checkCount, newAccessToken, ownOrganization } from "../control/access-tokens.ts";
import { Failure } from "../http/failure.ts";
import { limiterOf } from "../http/limiter.ts";
import { baseUrl } from "../http/links.ts";
import type { RateLimit } from "../http/token-bucket.ts";
import { isUniqueViolation, openSql, required, type SqlConnection } from "../storage/sql-connection.ts";
import { clientAddress } from "./client-address.ts";
import { scopesOf, storedScopes } from "./token-scopes.ts";
import { newUserCode, shownUserCode, typedUserCode } from "./user-code.ts";

/**
 * The device authorization flow (RFC 8628). A program gets two codes: a secret one, with which it polls, and
 * one for a person, who approves or refuses it in a browser where they are signed in. The program gets an
 * access token of that person, which is created when the program polls for it, so that it is stored only as a
 * hash.
 */

const LIFETIME_MS = 10 * 60_000;
const INTERVAL_SECONDS = 5;
/** Rows are kept for a while after they have expired, so that a program learns why it gets nothing. */
const KEPT_MS = 3_600_000;
const SECRET_LENGTH = 43;

/** Limit of logins started from one address. */
const STARTS: RateLimit = { burst: 30, perSecond: 0.2 };
/** Limit of polls of one program: slightly above the interval, because requests do not arrive evenly. */
const POLLS: RateLimit = { burst: 1, perSecond: 1 / (INTERVAL_SECONDS - 1) };
/**
 * Limit of codes that one person enters, including correct ones. With 2.6 × 10^10 codes, guessing is not
 * feasible.
 */
const ENTRIES: RateLimit = { burst: 20, perSecond: 1 / 15 };

type Login = SqlConnection["tables"]["deviceLogins"]["$inferSelect"];

export async function startDeviceLogin(
  c: Context<App>,
  { clientName, scopes }: z.output<typeof StartDeviceLoginBody>,
): Promise<StartDeviceLoginResponse> {
  const address = clientAddress(c) ?? null;
  const { granted, retryAfterMs } = await limiterOf(c.env, `device-start:${address}`).take(1, STARTS);
  if (granted < 1) throw tooMany("logins were begun from this address", retryAfterMs);
  const connection = openSql(c.env);
  const { deviceLogins } = connection.tables;
  const deviceCode = randomSecret(SECRET_LENGTH);
  const now = Date.now();
  const login = {
    hash: digest(deviceCode),
    clientName,
    scopes: storedScopes(scopes),
    address,
    userAgent: c.req.header("user-agent")?.slice(0, 300) ?? null,
    createdAt: now,
    expiresAt: now + LIFETIME_MS,
  };
  const userCode = await insertWithUserCode(connection, login);
  await connection.db.delete(deviceLogins).where(lt(deviceLogins.expiresAt, now - KEPT_MS));
  const verificationUri = `${baseUrl(c)}/device`;
  return {
    deviceCode,
    userCode,
    verificationUri,
    verificationUriComplete: `${verificationUri}?code=${userCode}`,
    expiresIn: LIFETIME_MS / 1000,
    interval: INTERVAL_SECONDS,
  };
}

/** Two codes can collide; three in a row do not. */
async function insertWithUserCode(
  { db, tables }: SqlConnection,
  login: Omit<typeof tables.deviceLogins.$inferInsert, "userCode">,
): Promise<string> {
  for (let attempt = 1; ; attempt++) {
    const userCode = newUserCode();
    try {
      await db.insert(tables.deviceLogins).values({ ...login, userCode });
      return shownUserCode(userCode);
    } catch (error) {
      if (attempt === 3 || !isUniqueViolation(error)) throw error;
    }
  }
}

/**
 * Returns the token, once. Throws a 400 with RFC 8628's code while there is none, or if there will be none.
 */
export async function pollDeviceLogin(c: Context<App>, deviceCode: string): Promise<CreatedAccessToken> {
  const connection = openSql(c.env);
  const { db, tables } = connection;
  const { deviceLogins, organizations } = tables;
  const hash = digest(deviceCode);
  const now = Date.now();
  const address = clientAddress(c);
  // As with keys, an unknown code costs a database read, so each address has a limit.
  refuseGuesses(address, undefined, now);
  const login = (await db.select().from(deviceLogins).where(eq(deviceLogins.hash, hash)))[0];
  if (!login) {
    countWrongKey(address, now);
    throw refusal("invalid_grant", "The server does not know this device code. Start again.");
  }
  if (login.usedAt !== null) {
    throw refusal("invalid_grant", "This device code has been used: it gives one token. Start again.");
  }
  if (login.expiresAt <= now) {
    throw refusal("expired_token", "This login was not allowed in time. Start again.");
  }
  if (login.decision === "denied") throw refusal("access_denied", "The login was refused in the browser.");
  const { userId, organizationId } = login;
  if (login.decision === null || userId === null || organizationId === null) {
    const { granted } = await limiterOf(c.env, `device-poll:${hash}`).take(1, POLLS);
    if (granted < 1) {
      throw refusal("slow_down", `Wait ${INTERVAL_SECONDS} more seconds between two of these requests.`);
    }
    throw refusal(
      "authorization_pending",
      "This login has not been allowed yet. Poll again after the interval.",
    );
  }
  const { id, slug, name } = organizations;
  const organization = (
    await db.select({ id, slug, name }).from(organizations).where(eq(id, organizationId))
  )[0];
  if (!organization) throw refusal("access_denied", "The organization no longer exists. Start again.");
  const person = (await db.select().from(tables.users).where(eq(tables.users.id, userId)))[0];
  if (!person)
    throw refusal("access_denied", "The person who allowed the login no longer exists. Start again.");
  // The audit log names the token's owner, although this request has no session.
  c.set("person", { id: person.id, email: person.email, name: person.name, image: person.image });
  const { token, statements } = newAccessToken(c, connection, person, {
    organization,
    name: login.clientName,
    scopes: scopesOf(login.scopes),
    days: TOKEN_LIMITS.defaultDays,
  });
  const done = await connection.atomically([
    required(
      db
        .update(deviceLogins)
        .set({ usedAt: now })
        .where(and(eq(deviceLogins.hash, hash), isNull(deviceLogins.usedAt))),
    ),
    ...statements,
  ]);
  if (done === null) {
    throw refusal("invalid_grant", "This device code has been used: it gives one token. Start again.");
  }
  return token;
}

export async function lookUpDeviceLogin(c: Context<App>, userCode: string): Promise<DeviceLogin> {
  const login = await openLogin(c, openSql(c.env), userCode);
  return {
    userCode: shownUserCode(login.userCode),
    clientName: login.clientName,
    scopes: scopesOf(login.scopes),
    address: login.address,
    userAgent: login.userAgent,
    createdAt: new Date(login.createdAt).toISOString(),
    expiresAt: new Date(login.expiresAt).toISOString(),
    tokenDays: TOKEN_LIMITS.defaultDays,
  };
}

type Approval = z.output<typeof ApproveDeviceLoginBody>;

/** Approves or refuses a login, once. */
export async function decideDeviceLogin(
  c: Context<App>,
  decision: "approved" | "denied",
  body: Partial<Approval> & Pick<Approval, "userCode">,
): Promise<z.output<typeof DecidedDeviceLogin>> {
  const connection = openSql(c.env);
  const { deviceLogins } = connection.tables;
  const login = await openLogin(c, connection, body.userCode);
  const userId = c.var.person.id;
  const grant = body.organization === undefined ? {} : await grantOf(connection, userId, login, body);
  const changed = await connection.atomically([
    required(
      connection.db
        .update(deviceLogins)
        .set({ decision, userId, ...grant })
        .where(and(eq(deviceLogins.hash, login.hash), ...isOpen(connection))),
    ),
  ]);
  if (changed === null) throw notOpen();
  return { decision };
}

async function grantOf(
  connection: SqlConnection,
  userId: string,
  login: Login,
  { organization = "", scopes }: Partial<Approval>,
): Promise<{ organizationId: string; scopes: string }> {
  const { id } = await ownOrganization(connection, userId, organization);
  await checkCount(connection, userId);
  const asked = scopesOf(login.scopes);
  const more = (scopes ?? []).filter((scope: TokenScope) => !asked.includes(scope));
  if (more.length > 0) {
    throw new Failure(
      400,
      "scopes_not_asked_for",
      `${login.clientName} did not ask for ${more.join(", ")}. Allow what it asked for (${asked.join(", ")}) or a part of it. Nothing was changed.`,
    );
  }
  return { organizationId: id, scopes: storedScopes(scopes ?? asked) };
}

const isOpen = ({ tables: { deviceLogins } }: SqlConnection) => [
  isNull(deviceLogins.decision),
  gt(deviceLogins.expiresAt, Date.now()),
];

/** Returns the pending login with this user code. Throws a 404, or a 429 after too many tries. */
async function openLogin(c: Context<App>, connection: SqlConnection, userCode: string): Promise<Login> {
  const limiter = limiterOf(c.env, `device-code:${c.var.person.id}`);
  const { granted, retryAfterMs } = await limiter.take(1, ENTRIES);
  if (granted < 1) throw tooMany("codes were entered", retryAfterMs);
  const { deviceLogins } = connection.tables;
  const found = await connection.db
    .select()
    .from(deviceLogins)
    .where(and(eq(deviceLogins.userCode, typedUserCode(userCode)), ...isOpen(connection)));
  if (!found[0]) throw notOpen();
  return found[0];
}

const notOpen = (): Failure =>
  new Failure(
    404,
    "device_login_not_found",
    "No login is waiting with this code: it is wrong, has expired after 10 minutes, or has already been answered. Compare it with what your terminal shows. Nothing was changed.",
  );

const refusal = (code: string, message: string): Failure => new Failure(400, code, message);

function tooMany(what: string, retryAfterMs: number): Failure {
  const seconds = Math.max(1, Math.ceil(retryAfterMs / 1000));
  return new Failure(429, "too_many_device_logins", `Too many ${what}. Try again in ${seconds} s.`, {
    headers: { "retry-after": String(seconds) },
  });
}
