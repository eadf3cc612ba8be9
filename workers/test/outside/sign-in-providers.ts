import { createHash, generateKeyPairSync, randomUUID, sign } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/**
 * The person who signs in at the provider. The test names them with `as` in the URL, instead of a browser's
 * session there.
 */
export interface PersonThere {
  id: number;
  name: string;
  emails: { email: string; primary: boolean; verified: boolean }[];
  /** True: the person presses "Cancel". */
  denies?: boolean;
  /** The fault in the provider's ID token. */
  token?: "unsigned" | "nonce" | "audience" | "issuer" | "expired";
  /** The token endpoint answers with this status. */
  fails?: number;
}

interface Grant {
  person: PersonThere;
  clientId: string;
  redirect: string;
  challenge: string;
  nonce: string | null;
}

const CLIENTS: Record<string, string> = {
  "github-client": "github-secret",
  "oidc-client": "oidc-secret",
};

/**
 * A GitHub (`/github`) and an OpenID Connect issuer (`/oidc`) that check what clients send: their secrets,
 * the redirect URI, PKCE, and that a code is used once.
 */
export async function startSignInProviders() {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const stranger = generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey;
  const grants = new Map<string, Grant>();
  const tokens = new Map<string, PersonThere>();
  const segment = (value: object): string => Buffer.from(JSON.stringify(value)).toString("base64url");
  let origin = "";

  function idToken({ person, clientId, nonce }: Grant): string {
    const email = person.emails.find(({ primary }) => primary);
    const { token } = person;
    const now = Math.floor(Date.now() / 1000) - (token === "expired" ? 7200 : 0);
    const claims = {
      iss: token === "issuer" ? "https://evil.example" : `${origin}/oidc`,
      aud: token === "audience" ? "another-client" : clientId,
      sub: String(person.id),
      name: person.name,
      email: email?.email,
      email_verified: email?.verified,
      nonce: token === "nonce" ? "another" : nonce,
      iat: now,
      exp: now + 3600,
    };
    const body = `${segment({ alg: "ES256", kid: "k1", typ: "JWT" })}.${segment(claims)}`;
    const key = token === "unsigned" ? stranger : privateKey;
    return `${body}.${sign("sha256", Buffer.from(body), { key, dsaEncoding: "ieee-p1363" }).toString("base64url")}`;
  }

  /** The page on which a person signs in. */
  function askPerson(url: URL, response: ServerResponse): void {
    const hidden = [...url.searchParams].map(
      ([name, value]) => `<input type="hidden" name="${name}" value="${value.replaceAll('"', "&quot;")}">`,
    );
    response.setHeader("content-type", "text/html");
    response.end(`<form>${hidden.join("")}<label>Address at the issuer <input name="email" required></label>
      <button>Continue</button><button name="cancel" value="1" formnovalidate>Cancel</button></form>`);
  }

  function typed(url: URL): PersonThere {
    const email = url.searchParams.get("email") ?? "";
    const id = Number.parseInt(createHash("sha256").update(email).digest("hex").slice(0, 12), 16);
    return {
      id,
      name: "Ada",
      emails: [{ email, primary: true, verified: true }],
      denies: url.searchParams.has("cancel"),
    };
  }

  function authorize(url: URL, response: ServerResponse): void {
    const query = (name: string): string => url.searchParams.get(name) ?? "";
    if (!url.searchParams.has("as") && !url.searchParams.has("email")) {
      askPerson(url, response);
      return;
    }
    const person = url.searchParams.has("as") ? (JSON.parse(query("as")) as PersonThere) : typed(url);
    const back = new URL(query("redirect_uri"));
    back.searchParams.set("state", query("state"));
    if (person.denies) {
      back.searchParams.set("error", "access_denied");
      back.searchParams.set("error_description", "The user has <b>denied</b> access");
    } else {
      const code = randomUUID();
      grants.set(code, {
        person,
        clientId: query("client_id"),
        redirect: query("redirect_uri"),
        challenge: query("code_challenge_method") === "S256" ? query("code_challenge") : "",
        nonce: url.searchParams.get("nonce"),
      });
      back.searchParams.set("code", code);
    }
    response.writeHead(302, { location: back.href }).end();
  }

  function token(form: URLSearchParams, response: ServerResponse, withIdToken: boolean): void {
    const grant = grants.get(form.get("code") ?? "");
    grants.delete(form.get("code") ?? "");
    const verifier = createHash("sha256")
      .update(form.get("code_verifier") ?? "")
      .digest("base64url");
    const isRight =
      grant &&
      grant.clientId === form.get("client_id") &&
      CLIENTS[grant.clientId] === form.get("client_secret") &&
      grant.redirect === form.get("redirect_uri") &&
      grant.challenge === verifier;
    const fails = grant?.person.fails;
    if (!isRight) json(response, { error: "invalid_grant" }, 400);
    else if (fails) json(response, { error: "server_error" }, fails);
    else {
      const access = randomUUID();
      tokens.set(access, grant.person);
      json(response, {
        access_token: access,
        token_type: "bearer",
        scope: "user",
        ...(withIdToken ? { id_token: idToken(grant) } : {}),
      });
    }
  }

  function json(response: ServerResponse, body: unknown, status = 200): void {
    response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
  }

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? "/", origin);
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part as Buffer);
    const form = new URLSearchParams(Buffer.concat(parts).toString());
    const person = tokens.get((request.headers.authorization ?? "").replace(/^Bearer /i, ""));
    switch (url.pathname) {
      case "/github/login/oauth/authorize":
      case "/oidc/authorize":
        return authorize(url, response);
      case "/github/login/oauth/access_token":
        return token(form, response, false);
      case "/oidc/token":
        return token(form, response, true);
      case "/github/api/v3/user":
        // The address on a profile is what its owner wrote there.
        return person
          ? json(response, { id: person.id, login: "login", name: person.name, email: "any@thing.test" })
          : json(response, {}, 401);
      case "/github/api/v3/user/emails":
        return person ? json(response, person.emails) : json(response, {}, 401);
      case "/oidc/.well-known/openid-configuration":
        return json(response, {
          issuer: `${origin}/oidc`,
          authorization_endpoint: `${origin}/oidc/authorize`,
          token_endpoint: `${origin}/oidc/token`,
          jwks_uri: `${origin}/oidc/keys`,
          id_token_signing_alg_values_supported: ["ES256"],
        });
      case "/oidc/keys":
        return json(response, {
          keys: [{ ...publicKey.export({ format: "jwk" }), kid: "k1", alg: "ES256", use: "sig" }],
        });
      default:
        json(response, {}, 404);
    }
  }

  const server = createServer((request, response) => {
    handle(request, response).catch((error: Error) => json(response, { error: error.message }, 500));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    origin,
    stop: async () => {
      server.closeAllConnections();
      server.close();
    },
  };
}
