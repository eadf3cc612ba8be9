import { join, resolve } from "node:path";
import { CliError } from "../errors.ts";
import { style } from "../terminal/style.ts";
import { VERSION } from "../version.ts";
import { installPackages } from "./install.ts";
import { type PackageJson, readPackageJson, writePackageJson } from "./package-json.ts";
import { packageManagerOf } from "./package-manager.ts";

export interface UpdateOptions {
  to?: string;
  check?: boolean;
  skipInstall?: boolean;
  json?: boolean;
}

interface Updated {
  name: string;
  from: string;
  /** Null: it is not a version of the registry (a file, a workspace, a tag), and is not changed. */
  to: string | null;
}

const OWN = /^@acme\//;
const RANGE = /^([~^]?)\d+\.\d+\.\d+(?:-[\w.-]+)?$/;
const VERSION_NUMBER = /^\d+\.\d+\.\d+(?:-[\w.-]+)?$/;

/** Returns the package.json with all of Acme's packages at one version, each with its style of range. */
export function withVersion(json: PackageJson, version: string): { json: PackageJson; updated: Updated[] } {
  const updated: Updated[] = [];
  const changed = { ...json };
  for (const key of ["dependencies", "devDependencies"] as const) {
    const versions = json[key];
    if (!versions) continue;
    changed[key] = Object.fromEntries(
      Object.entries(versions).map(([name, from]) => {
        if (!OWN.test(name)) return [name, from];
        const range = RANGE.exec(from)?.[1];
        const to = range === undefined ? null : `${range}${version}`;
        if (to !== from) updated.push({ name, from, to });
        return [name, to ?? from];
      }),
    );
  }
  return { json: changed, updated };
}

/** @throws CliError that says what to do */
export async function update(dir: string, options: UpdateOptions): Promise<void> {
  const root = resolve(dir);
  const path = join(root, "package.json");
  const version = options.to ?? VERSION;
  if (!VERSION_NUMBER.test(version))
    throw new CliError(`--to ${version} is not a version: give one like ${VERSION}.`);
  const file = readPackageJson(path);
  const { json, updated } = withVersion(file.json, version);
  const changes = updated.filter(({ to }) => to !== null);
  if (!options.check && changes.length > 0) {
    writePackageJson(path, { ...file, json });
    if (!options.skipInstall) await installPackages(packageManagerOf(root), root);
  }
  if (options.json) console.log(JSON.stringify({ version, updated }, null, 2));
  else {
    for (const { name, from, to } of updated) {
      if (to === null) console.log(`  ${style("dim", `= ${name.padEnd(20)} ${from} is kept`)}`);
      else console.log(`  ${style("green", "+")} ${name.padEnd(20)} ${from} → ${to}`);
    }
    if (changes.length === 0) console.log(`All packages @acme/* in ${path} are at ${version}.`);
  }
  if (options.check && changes.length > 0) {
    throw new CliError(
      `${changes.length === 1 ? "A version differs" : `${changes.length} versions differ`} from ${version}: run \`acme update\`.`,
    );
  }
}
