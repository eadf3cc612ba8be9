import { readFileSync } from "node:fs";
import { hostname, userInfo } from "node:os";
import { type Command, InvalidArgumentError, Option } from "commander";
import { CliError } from "../errors.ts";
import { isInteractive, style, terminalWidth } from "../terminal/style.ts";
import { facts, table } from "../terminal/table.ts";
import { printJson } from "./connection.ts";

/** The contract's values, repeated because `--help` does not load the contract. A test compares them. */
export const SCOPES = ["read", "write", "deploy", "admin"] as const;
type Scope = (typeof SCOPES)[number];

interface LoginOptions {
  token?: string;
  scope?: Scope[];
  profile?: string;
  browser: boolean;
  apiUrl?: string;
  json?: boolean;
}

const DEFAULT_PROFILE = "default";

export function addLoginCommands(program: Command): void {
  program
    .command("login")
    .description("log in to a server: allow the login in a browser, or pass an access token")
    .option("--token <token>", "an access token (tr_pat_…); - reads it from standard input")
    .addOption(
      new Option(
        "-s, --scope <scope...>",
        "what the token may be used for; default: read write deploy",
      ).choices(SCOPES),
    )
    .option("--profile <name>", "name of the login; default: ACME_PROFILE, or default", parseName)
    .option("--no-browser", "print the address, but open no browser")
    .option("-a, --api-url <url>", "server, instead of ACME_API_URL")
    .option("--json", "print JSON")
    .addHelpText(
      "after",
      `
Examples:
  $ acme login --api-url https://acme.example.com
  $ acme login --profile work --scope read write deploy admin
  $ acme login --token - < token.txt`,
    )
    .action(login);

  program
    .command("logout")
    .description("log out: revoke the token of a login and forget it")
    .option("--profile <name>", "login to forget; default: the one in use", parseName)
    .option("--json", "print JSON")
    .addHelpText("after", "\nExample:\n  $ acme logout --profile work")
    .action(logout);

  program
    .command("profiles")
    .description("list the logins on this machine")
    .option("--json", "print JSON")
    .addHelpText("after", "\nExample:\n  $ acme profiles")
    .action(list);

  program
    .command("switch")
    .description("use another login from now on")
    .argument("<profile>", "its name")
    .option("--json", "print JSON")
    .addHelpText("after", "\nExample:\n  $ acme switch work")
    .action(switchTo);
}

const isName = (text: string): boolean => /^[\w.-]{1,64}$/.test(text);
const NAME_RULE = "a name has 1 to 64 letters, digits, dots, hyphens and underscores.";

function parseName(text: string): string {
  if (isName(text)) return text;
  throw new InvalidArgumentError(NAME_RULE);
}

/** Returns the requested profile: from the option, or from ACME_PROFILE. */
function chosenName(option: string | undefined): string | undefined {
  const name = option ?? process.env.ACME_PROFILE?.trim();
  if (!name || isName(name)) return name || undefined;
  throw new CliError(`ACME_PROFILE is "${name}": ${NAME_RULE}`);
}

const load = () =>
  Promise.all([import("../access.ts"), import("../api/access-tokens-api.ts"), import("../profiles.ts")]);

async function login(options: LoginOptions): Promise<void> {
  const [{ loginServer, serverAddress }, api, { readProfiles, writeProfiles }] = await load();
  const name = chosenName(options.profile) ?? DEFAULT_PROFILE;
  const before = readProfiles();
  // A repeated login uses the profile's server.
  const known = before.profiles[name]?.apiUrl;
  const named = options.apiUrl ?? process.env.ACME_API_URL;
  const apiUrl = named
    ? serverAddress(named)
    : (known ?? loginServer({ env: { ...process.env, ACME_PROFILE: "" } }));
  const source = options.token === undefined ? "login" : "token";
  const accessToken =
    options.token === undefined ? await allowedToken(apiUrl, options) : givenToken(options.token);
  const me = await api.whoami({ apiUrl, token: accessToken });
  const email = me.user?.email ?? null;
  const organization = me.organization.slug;
  const profile = { apiUrl, accessToken, email, organization, source } as const;
  writeProfiles({ current: name, profiles: { ...before.profiles, [name]: profile } });
  const former = before.profiles[name];
  if (former?.source === "login" && former.accessToken !== accessToken) {
    // The former token is revoked. If its server does not answer, that is not a failure.
    await api.revokeOwnToken({ apiUrl: former.apiUrl, token: former.accessToken }).catch(() => {});
  }
  if (options.json) {
    printJson({ profile: name, apiUrl, email, organization, scopes: me.scopes, expiresAt: me.expiresAt });
    return;
  }
  console.log(
    `${style("green", "✓")} Logged in to ${apiUrl} as ${email ?? `the organization ${organization}`}.`,
  );
  console.log(
    facts([
      ["Organization", organization],
      ["Scopes", me.scopes.join(", ")],
      ["Expires", me.expiresAt === null ? "never" : me.expiresAt.slice(0, 10)],
      ["Profile", name],
    ]).join("\n"),
  );
}

function givenToken(token: string): string {
  const text = (token === "-" ? readFileSync(0, "utf8") : token).trim();
  if (text.startsWith("tr_pat_")) return text;
  throw new CliError(
    "This is not an access token: access tokens begin with tr_pat_. Create one in the dashboard under Account, Access tokens.",
  );
}

/**
 * The device authorization flow. The instructions are written to standard error, because they are not a
 * result.
 */
async function allowedToken(apiUrl: string, options: LoginOptions): Promise<string> {
  const [, { startDeviceLogin, waitForToken }] = await load();
  const begun = await startDeviceLogin(
    apiUrl,
    `${userInfo().username}@${hostname()}`.slice(0, 100),
    options.scope,
  );
  const minutes = Math.round(begun.expiresIn / 60);
  console.error(`Allow this login in a browser within ${minutes} minutes:\n`);
  console.error(`  ${begun.verificationUriComplete}\n`);
  console.error(`The page has to show the code ${style("bold", begun.userCode)}. Waiting…`);
  if (options.browser && isInteractive()) {
    const { openBrowser } = await import("../open-browser.ts");
    openBrowser(begun.verificationUriComplete);
  }
  return (await waitForToken(apiUrl, begun)).token;
}

async function logout(options: { profile?: string; json?: boolean }): Promise<void> {
  const [, { revokeOwnToken }, { profileInUse, readProfiles, writeProfiles }] = await load();
  const before = readProfiles();
  const used = profileInUse(before, chosenName(options.profile));
  if (!used) throw new CliError("You are not logged in: there is no profile in use.");
  const { name, profile } = used;
  const { apiUrl, accessToken, source } = profile;
  const { [name]: _, ...rest } = before.profiles;
  const current = before.current === name ? (Object.keys(rest)[0] ?? null) : before.current;
  // Checked first, so that a token that the server refuses is never stored.
  writeProfiles({ current, profiles: rest });
  let revoked = false;
  let problem = "";
  if (source === "login") {
    try {
      await revokeOwnToken({ apiUrl, token: accessToken });
      revoked = true;
    } catch (error) {
      problem = error instanceof Error ? error.message : String(error);
    }
  }
  if (options.json) {
    printJson({ profile: name, apiUrl, revoked, current });
    return;
  }
  console.log(`Logged out of ${apiUrl} (profile ${name}).`);
  if (source === "token") console.log("The token was given to you, so it was not revoked.");
  else if (!revoked) console.error(`Its token could not be revoked; do it in the dashboard. ${problem}`);
  if (current !== null && current !== before.current) console.log(`The profile in use is now ${current}.`);
}

async function list(options: { json?: boolean }): Promise<void> {
  const [, , { readProfiles }] = await load();
  const { current, profiles } = readProfiles();
  const rows = Object.entries(profiles).map(([name, { apiUrl, email, organization }]) => ({
    name,
    current: name === current,
    apiUrl,
    email,
    organization,
  }));
  if (options.json) {
    printJson(rows);
    return;
  }
  if (rows.length === 0) {
    console.error("There are no logins. Log in with `acme login`.");
    return;
  }
  const lines = table(
    [
      { title: "", value: (row) => (row.current ? "*" : "") },
      { title: "PROFILE", value: ({ name }) => name },
      { title: "ORGANIZATION", value: ({ organization }) => organization },
      { title: "PERSON", value: ({ email }) => email ?? "–" },
      { title: "SERVER", value: ({ apiUrl }) => apiUrl, flexible: true },
    ],
    rows,
    terminalWidth(),
  );
  console.log(lines.join("\n"));
}

async function switchTo(name: string, options: { json?: boolean }): Promise<void> {
  const [, , { profileInUse, readProfiles, writeProfiles }] = await load();
  const before = readProfiles();
  const used = profileInUse(before, name);
  writeProfiles({ ...before, current: name });
  if (options.json) printJson({ profile: name, apiUrl: used?.profile.apiUrl });
  else
    console.log(
      `The profile in use is now ${name}: ${used?.profile.organization} at ${used?.profile.apiUrl}.`,
    );
}
