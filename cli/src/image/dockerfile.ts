import { PROJECT_LABEL } from "@acme/sdk/contract";
import type { Layers } from "../extensions/layers.ts";

export interface ImagePlan {
  /** The image to build on: Debian with Node.js and npm. */
  base: string;
  projectRef: string;
  layers: Pick<Layers, "packages" | "instructions" | "commands" | "buildVariables">;
  /** npm packages: versions by name. */
  dependencies: Record<string, string>;
  /** True: one of them has to be compiled. */
  compiles: boolean;
}

/** Debian packages that node-gyp needs. */
const COMPILER = ["g++", "make", "python3"];

/**
 * Returns the Dockerfile of a deployment. The parts that change least come first, so that a change of the
 * code repeats neither the installation of Debian packages nor that of npm packages.
 */
export function dockerfile({ base, compiles, dependencies, layers, projectRef }: ImagePlan): string {
  const { buildVariables, commands, instructions, packages } = layers;
  const hasDependencies = Object.keys(dependencies).length > 0;
  const lines = [
    `FROM ${base} AS base`,
    ...aptGet(packages),
    ...instructions,
    "",
    "FROM base AS build",
    ...(compiles ? aptGet(COMPILER) : []),
    "WORKDIR /app",
    ...Object.entries(buildVariables).map(([name, value]) => `ENV ${name}=${quoted(value)}`),
    ...(hasDependencies
      ? ["COPY package.json ./", "RUN npm install --omit=dev --no-audit --no-fund --no-package-lock"]
      : []),
    "COPY . .",
    ...commands.map((command) => `RUN ${command}`),
    "",
    "FROM base",
    "WORKDIR /app",
    "COPY --from=build /app /app",
    `LABEL ${PROJECT_LABEL}=${quoted(projectRef)}`,
  ];
  return `${lines.join("\n")}\n`;
}

const aptGet = (packages: readonly string[]): string[] =>
  packages.length === 0
    ? []
    : [
        `RUN apt-get update && apt-get install -y --no-install-recommends ${[...packages].sort().join(" ")} && rm -rf /var/lib/apt/lists/*`,
      ];

/** Quotes a word of a Dockerfile, in which `$` would be replaced. */
const quoted = (value: string): string => `"${value.replace(/[\\"$]/g, "\\$&").replaceAll("\n", "\\n")}"`;
