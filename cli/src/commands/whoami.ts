import type { Command } from "commander";
import { facts } from "../terminal/table.ts";
import { printJson } from "./connection.ts";

interface WhoamiOptions {
  projectRef?: string;
  env: string;
  apiUrl?: string;
  json?: boolean;
}

export function addWhoamiCommand(program: Command): void {
  program
    .command("whoami")
    .description("show the server, the access token in use, and the project of this folder")
    .option("-p, --project-ref <ref>", "project, instead of the configuration's")
    .option("-e, --env <slug>", "environment; dev is your own", "prod")
    .option("-a, --api-url <url>", "server, instead of ACME_API_URL")
    .option("--json", "print JSON")
    .addHelpText("after", "\nExamples:\n  $ acme whoami\n  $ acme whoami --project-ref proj_default --json")
    .action(show);
}

async function show(options: WhoamiOptions): Promise<void> {
  const [{ projectAccess }, { whoami }] = await Promise.all([
    import("../access.ts"),
    import("../api/access-tokens-api.ts"),
  ]);
  const { apiUrl, accessToken } = projectAccess({ apiUrl: options.apiUrl });
  const me = await whoami({ apiUrl, token: accessToken });
  const { user, role, organization, scopes, expiresAt, name } = me;
  const project = await projectHere({ apiUrl, accessToken }, options);
  if (options.json) {
    printJson({
      apiUrl,
      user,
      role,
      organization,
      token: { id: me.id, name, scopes, expiresAt },
      ...project,
    });
    return;
  }
  console.log(
    facts([
      ["Server", apiUrl],
      ["Person", user ? user.email : "none: the token is the organization's own"],
      ["Organization", `${organization.slug}${role ? ` (${role})` : ""}`],
      ["Access token", `${accessToken.slice(0, 11)}… "${name}"`],
      ["Scopes", scopes.join(", ")],
      ["Expires", expiresAt === null ? "never" : expiresAt.slice(0, 10)],
      ["Project", project?.projectRef],
      ["Environment", project && `${project.environment}: ${versionText(project)}`],
    ]).join("\n"),
  );
}

interface Here {
  projectRef: string;
  environment: string;
  version: string | null;
}

const versionText = ({ version }: Here): string =>
  version === null ? "nothing deployed yet" : `version ${version}`;

/** Returns undefined if there is no project in this folder and none was named. */
async function projectHere(
  access: { apiUrl: string; accessToken: string },
  { projectRef: named, env }: WhoamiOptions,
): Promise<Here | undefined> {
  const [{ projectApi }, { projectRefOf }, { findConfig }, { slugOf }] = await Promise.all([
    import("../api/project-api.ts"),
    import("../project/project-ref.ts"),
    import("../project/load-config.ts"),
    import("../dev/access.ts"),
  ]);
  if (!named && !process.env.ACME_PROJECT_REF && findConfig(".") === undefined) return undefined;
  const projectRef = await projectRefOf(named, ".");
  const environment = await slugOf(env, { apiUrl: access.apiUrl, token: access.accessToken }, projectRef);
  const deployments = await projectApi(access, projectRef, environment).deployments();
  const version = deployments.find((deployment) => deployment.promoted)?.version ?? null;
  return { projectRef, environment, version };
}
