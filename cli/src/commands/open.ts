import type { Command } from "commander";
import { CliError } from "../errors.ts";
import { connectProject, printJson, withProject } from "./connection.ts";

/** Pages of an environment in the dashboard. */
export const PAGES = [
  "runs",
  "tasks",
  "queues",
  "schedules",
  "batches",
  "deployments",
  "variables",
  "keys",
  "test",
  "settings",
] as const;

interface OpenOptions {
  env: string;
  projectRef?: string;
  apiUrl?: string;
  json?: boolean;
  print?: boolean;
}

export function addOpenCommand(program: Command): void {
  withProject(
    program
      .command("open")
      .description("show a page of the dashboard in a browser")
      .argument("[what]", `a run's id, or one of ${PAGES.join(", ")}`, "runs")
      .option("--print", "print the page's address instead of opening it"),
  )
    .addHelpText(
      "after",
      "\nExamples:\n  $ acme open\n  $ acme open run_…\n  $ acme open deployments --env staging",
    )
    .action(open);
}

async function open(what: string, options: OpenOptions): Promise<void> {
  const url = await addressOf(what, options);
  if (options.json) {
    printJson({ url });
    return;
  }
  console.log(url);
  if (options.print) return;
  const { openBrowser } = await import("../open-browser.ts");
  openBrowser(url);
}

async function addressOf(what: string, options: OpenOptions): Promise<string> {
  const [{ loginServer }, { whoami }] = await Promise.all([
    import("../access.ts"),
    import("../api/access-tokens-api.ts"),
  ]);
  // The dashboard finds the environment of a run itself.
  if (what.startsWith("run_"))
    return `${loginServer({ apiUrl: options.apiUrl })}/r/${encodeURIComponent(what)}`;
  if (!PAGES.some((page) => page === what))
    throw new CliError(`There is no page "${what}": give a run's id, or one of ${PAGES.join(", ")}.`);
  const { access, ref, slug } = await connectProject(options);
  const { apiUrl, accessToken: token } = access;
  const { organization } = await whoami({ apiUrl, token });
  const path = ["orgs", organization.slug, "projects", ref, "env", slug, what];
  return `${apiUrl}/${path.map(encodeURIComponent).join("/")}`;
}
