import type { BuildLayer } from "@acme/sdk";

/** Everything that build extensions have added. */
export interface Layers {
  /** Debian packages, each once. */
  packages: string[];
  /** Lines of the Dockerfile. */
  instructions: string[];
  commands: string[];
  /** npm packages: versions by name. */
  dependencies: Record<string, string>;
  buildVariables: Record<string, string>;
  /** Variables that the deployment sets in its environment, grouped by how they are set. */
  variables: VariableGroup[];
}

export interface VariableGroup {
  values: Record<string, string>;
  /** True: they belong to the branch's parent environment. */
  ofParent: boolean;
  isSecret: boolean;
  override: boolean;
}

export function mergeLayers(layers: readonly BuildLayer[]): Layers {
  return {
    packages: [...new Set(layers.flatMap(({ image }) => image?.pkgs ?? []))],
    instructions: layers.flatMap(({ image }) => image?.instructions ?? []),
    commands: layers.flatMap(({ commands }) => commands ?? []),
    dependencies: Object.assign({}, ...layers.map(({ dependencies }) => dependencies ?? {})),
    buildVariables: Object.assign({}, ...layers.map(({ build }) => defined(build?.env))),
    variables: layers.flatMap(({ deploy }) => {
      if (!deploy) return [];
      const { env, override = false, parentEnv, secretEnv, secretParentEnv } = deploy;
      return [
        { values: defined(env), ofParent: false, isSecret: false, override },
        { values: defined(secretEnv), ofParent: false, isSecret: true, override },
        { values: defined(parentEnv), ofParent: true, isSecret: false, override },
        { values: defined(secretParentEnv), ofParent: true, isSecret: true, override },
      ].filter(({ values }) => Object.keys(values).length > 0);
    }),
  };
}

/** Removes entries without a value. */
const defined = (variables: Record<string, string | undefined> = {}): Record<string, string> =>
  Object.fromEntries(
    Object.entries(variables).filter(
      (entry): entry is [string, string] => entry[1] !== undefined && entry[1] !== "",
    ),
  );
