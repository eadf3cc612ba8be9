import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, dirname, join, relative } from "node:path";
import { findConfig } from "../project/load-config.ts";
import { type PackageFile, readPackageJson, writePackageJson } from "./package-json.ts";
import { findUpwards, type PackageManager } from "./package-manager.ts";
import { configFile, EXAMPLE, EXAMPLE_FILE, SCRIPTS, TSCONFIG } from "./templates.ts";

/** A change that `acme init` makes to a project, or that is done already. */
export interface Change {
  /** Relative to the project's folder. */
  file: string;
  what: string;
  /** Absent: the file exists already. */
  apply?: () => void;
}

export interface Plan {
  changes: Change[];
  /** True: packages have to be installed. */
  installs: boolean;
}

interface PlanOptions {
  root: string;
  manager: PackageManager;
  project: string;
  version: string;
}

/**
 * Plans what a project lacks. Nothing is overwritten; once the plan has been applied, another plan is empty.
 */
export function planInit({ root, manager, project, version }: PlanOptions): Plan {
  const packages = planPackageJson(root, version);
  return {
    changes: [
      ...packages.changes,
      ...(manager === "pnpm" ? [planAllowedBuilds(root)] : []),
      planFile(root, "tsconfig.json", TSCONFIG),
      planConfig(root, project),
      planExample(root),
      ...planIgnored(root),
    ],
    installs: packages.installs,
  };
}

function planFile(root: string, file: string, text: string): Change {
  const path = join(root, file);
  if (existsSync(path)) return { file, what: "exists already" };
  return {
    file,
    what: "new",
    apply() {
      mkdirSync(dirname(path), { recursive: true });
      // Another process may have created it since; it is not changed.
      writeFileSync(path, text, { flag: "wx" });
    },
  };
}

function planConfig(root: string, project: string): Change {
  const known = findConfig(root);
  return known
    ? { file: known, what: "exists already" }
    : planFile(root, "acme.config.ts", configFile(project));
}

/** If a project has its own configuration, that says where the tasks are. */
function planExample(root: string): Change {
  const known = findConfig(root);
  if (known && !existsSync(join(root, EXAMPLE_FILE)))
    return { file: EXAMPLE_FILE, what: `skipped: ${known} says where the tasks are` };
  return planFile(root, EXAMPLE_FILE, EXAMPLE);
}

function planPackageJson(root: string, version: string): Plan {
  const file = "package.json";
  const path = join(root, file);
  const isNew = !existsSync(path);
  const found: PackageFile = isNew
    ? { json: { name: nameOf(root), private: true, type: "module" }, indent: "  " }
    : readPackageJson(path);
  const { json } = found;
  const all = { ...json.devDependencies, ...json.dependencies };
  const lacks = (name: string) => all[name] === undefined;
  const dependencies = lacks("@acme/sdk") ? { "@acme/sdk": `^${version}` } : {};
  const devDependencies = lacks("@acme/cli") ? { "@acme/cli": `^${version}` } : {};
  const scripts = Object.fromEntries(
    Object.entries(SCRIPTS).filter(([name]) => json.scripts?.[name] === undefined),
  );
  const added = { scripts, dependencies, devDependencies };
  const what = [
    ...(Object.keys(scripts).length > 0 ? ["scripts"] : []),
    ...Object.keys({ ...dependencies, ...devDependencies }),
  ];
  if (what.length === 0)
    return { changes: [{ file, what: "already has the packages and scripts" }], installs: false };
  const changed = { ...json };
  for (const [key, part] of Object.entries(added))
    if (Object.keys(part).length > 0) changed[key] = { ...(json[key] as object | undefined), ...part };
  return {
    changes: [
      {
        file,
        what: `${isNew ? "new, with" : "add"} ${what.join(", ")}`,
        apply: () => writePackageJson(path, { ...found, json: changed }),
      },
    ],
    installs: Object.keys(dependencies).length + Object.keys(devDependencies).length > 0,
  };
}

/** Packages of the CLI with scripts that are run at their installation, which pnpm refuses unless they are allowed. */
const BUILT = ["esbuild", "workerd"];
const WORKSPACE_FILE = "pnpm-workspace.yaml";
const ALLOWED = /^allowBuilds:.*$/m;

/** In the project's folder, or in that of the workspace that it belongs to. */
function planAllowedBuilds(root: string): Change {
  const path = findUpwards(root, WORKSPACE_FILE) ?? join(root, WORKSPACE_FILE);
  const file = relative(root, path);
  const text = existsSync(path) ? readFileSync(path, "utf8") : "";
  const missing = BUILT.filter((name) => !new RegExp(`^\\s+["']?${name}["']?\\s*:`, "m").test(text));
  if (missing.length === 0) return { file, what: `allows the builds of ${BUILT.join(" and ")} already` };
  const lines = missing.map((name) => `  ${name}: true`).join("\n");
  const changed = ALLOWED.test(text)
    ? text.replace(/^allowBuilds:[ \t]*$/m, (key) => `${key}\n${lines}`)
    : `${text}${text === "" || text.endsWith("\n") ? "" : "\n"}allowBuilds:\n${lines}\n`;
  if (changed === text)
    return { file, what: `left out: add ${missing.join(" and ")} to its allowBuilds yourself` };
  return {
    file,
    what: `${text === "" ? "new, allows" : "allow"} the builds of ${missing.join(" and ")}`,
    apply: () => writeFileSync(path, changed),
  };
}

/** Returns a name that npm accepts. */
const nameOf = (root: string): string =>
  basename(root)
    .toLowerCase()
    .replace(/[^a-z0-9._-]+/g, "-")
    .replace(/^[._-]+/, "") || "my-tasks";

/** The platform's data and built bundles must not be committed. */
function planIgnored(root: string): Change[] {
  const file = ".gitignore";
  const path = join(root, file);
  if (!existsSync(path)) {
    if (!existsSync(join(root, ".git"))) return [];
    return [planFile(root, file, "node_modules/\n.acme/\n")];
  }
  const text = readFileSync(path, "utf8");
  if (text.split(/\r?\n/).some((line) => /^\/?\.acme\/?$/.test(line.trim())))
    return [{ file, what: "already has .acme/" }];
  return [
    {
      file,
      what: "add .acme/",
      apply: () => writeFileSync(path, `${text}${text === "" || text.endsWith("\n") ? "" : "\n"}.acme/\n`),
    },
  ];
}
