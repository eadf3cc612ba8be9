import { SourceMap } from "node:module";
import { type Node as AcornNode, parse } from "acorn";
import { type Loader, transform } from "esbuild";
import type { Expression, Identifier, Node, Pattern, Program } from "estree";
import { analyze, type Scope } from "periscopic";
import { walk } from "zimmerframe";
import { REFERENCE_VALUES } from "./reference-names.ts";

/** A name that the code uses and that the SDK does not have. */
export interface MissingName {
  /** As written, like `wait` or `runs.subscribeToRun`. */
  name: string;
  /** From 1, in the source. */
  line: number;
  /** From 0, in the source. */
  column: number;
}

/** A value that came from the SDK: its name in the code, and the value itself. */
interface Known {
  path: string;
  value: unknown;
}

/**
 * Finds the names that a source file uses and that `sdk` (the SDK's module object) does not have: imported
 * and re-exported names, members of namespace imports, dynamic imports and `require`, and members of the
 * SDK's own namespaces (`runs.…`). Names that are only used as types are ignored: the first step removes
 * them. Returns nothing for code that cannot be parsed, which the bundler reports.
 */
export async function findMissingNames(
  source: string,
  options: SearchOptions & { loader: Loader },
): Promise<MissingName[]> {
  const [used, imported] = await Promise.all([
    compile(source, options.loader, false),
    compile(source, options.loader, true),
  ]);
  if (!used || !imported) return [];
  const unused = unusedImports(imported.program, options);
  const found = search(used.program, options);
  const names = new Set(found.map(({ name }) => name));
  return [
    ...found.map(used.place),
    ...unused.filter(({ name }) => !names.has(name)).map(imported.place),
  ].sort((a, b) => a.line - b.line || a.column - b.column);
}

interface SearchOptions {
  isSdk(specifier: string): boolean;
  /** The SDK's module object. */
  sdk: object;
}

interface Found {
  name: string;
  node: Node;
}

/**
 * Returns the source without its types. With `keepImports`, only imports that are marked as `type` are
 * removed.
 */
async function compile(
  source: string,
  loader: Loader,
  keepImports: boolean,
): Promise<{ program: Program; place(found: Found): MissingName } | null> {
  try {
    const { code, map } = await transform(source, {
      loader,
      format: "esm",
      target: "esnext",
      jsx: "automatic",
      sourcemap: "external",
      sourcefile: "source",
      logLevel: "silent",
      tsconfigRaw: { compilerOptions: { verbatimModuleSyntax: keepImports } },
    });
    const program = parse(code, { ecmaVersion: "latest", sourceType: "module", locations: true });
    const origins = new SourceMap(JSON.parse(map));
    return {
      program: program as AcornNode & Program,
      place({ name, node }) {
        const { line, column } = node.loc!.start;
        const origin = origins.findOrigin(line, column + 1);
        return "lineNumber" in origin
          ? { name, line: origin.lineNumber, column: origin.columnNumber - 1 }
          : { name, line, column };
      },
    };
  } catch {
    // The bundler reports code that cannot be parsed.
    return null;
  }
}

/** Finds imports of names that are values in `@trigger.dev/sdk` and that this SDK does not have. */
function unusedImports(program: Program, { isSdk, sdk }: SearchOptions): Found[] {
  return program.body
    .filter((node) => node.type === "ImportDeclaration" && isSdk(String(node.source.value)))
    .flatMap((node) => (node.type === "ImportDeclaration" ? node.specifiers : []))
    .filter((specifier) => specifier.type === "ImportSpecifier")
    .map((node) => ({ name: nameOf(node.imported), node }))
    .filter(({ name }) => REFERENCE_VALUES.has(name) && !(name in sdk));
}

function search(program: Program, options: SearchOptions): Found[] {
  const { scope: root, map: scopes } = analyze(program);
  const bindings = new Map<string, Known>();
  const missing: Found[] = [];
  const sdk: Known = { path: "", value: options.sdk };
  const isSdk = (node: Node | null | undefined): boolean =>
    node?.type === "Literal" && typeof node.value === "string" && options.isSdk(node.value);

  /** Returns the member `key` of a value of the SDK, and reports it if it does not exist. */
  function member(of: Known, key: string, node: Node): Known | undefined {
    const path = of.path ? `${of.path}.${key}` : key;
    // Only namespaces are checked. The type checker covers what functions return and what classes have.
    if (typeof of.value !== "object" || of.value === null) return undefined;
    if (key in of.value) return { path, value: (of.value as Record<string, unknown>)[key] };
    missing.push({ name: path, node });
    return undefined;
  }

  /** Returns the value of the SDK that an expression denotes, if that is known. */
  function resolve(node: Expression | Node, scope: Scope, report: boolean): Known | undefined {
    switch (node.type) {
      case "Identifier": {
        const owner = scope.find_owner(node.name);
        return owner && owner !== root ? undefined : bindings.get(node.name);
      }
      case "AwaitExpression":
        return resolve(node.argument, scope, report);
      case "ChainExpression":
        return resolve(node.expression, scope, report);
      case "ImportExpression":
        return isSdk(node.source) ? sdk : undefined;
      case "CallExpression":
        return node.callee.type === "Identifier" && node.callee.name === "require" && isSdk(node.arguments[0])
          ? sdk
          : undefined;
      case "MemberExpression": {
        const of = resolve(node.object, scope, false);
        const key = keyOf(node.property, node.computed);
        if (!of || key === undefined) return undefined;
        if (report) return member(of, key, node.property);
        const value =
          typeof of.value === "object" && of.value !== null
            ? (of.value as Record<string, unknown>)[key]
            : undefined;
        return { path: of.path ? `${of.path}.${key}` : key, value };
      }
      default:
        return undefined;
    }
  }

  function destructure(pattern: Pattern, from: Known, atTop: boolean): void {
    if (pattern.type === "Identifier") {
      if (atTop) bindings.set(pattern.name, from);
      return;
    }
    if (pattern.type === "AssignmentPattern") {
      destructure(pattern.left, from, atTop);
      return;
    }
    if (pattern.type !== "ObjectPattern") return;
    for (const property of pattern.properties) {
      if (property.type !== "Property") continue;
      const key = keyOf(property.key, property.computed);
      const value = key === undefined ? undefined : member(from, key, property.key);
      if (value) destructure(property.value as Pattern, value, atTop);
    }
  }

  for (const statement of program.body) {
    if (statement.type === "ImportDeclaration" && isSdk(statement.source)) {
      for (const specifier of statement.specifiers) {
        const known =
          specifier.type === "ImportNamespaceSpecifier"
            ? sdk
            : member(
                sdk,
                specifier.type === "ImportDefaultSpecifier" ? "default" : nameOf(specifier.imported),
                specifier,
              );
        if (known) bindings.set(specifier.local.name, known);
      }
    }
    if (statement.type === "ExportNamedDeclaration" && isSdk(statement.source)) {
      for (const specifier of statement.specifiers) member(sdk, nameOf(specifier.local), specifier);
    }
  }

  walk<Node, { scope: Scope }>(
    program,
    { scope: root },
    {
      _(node, { state, next }) {
        next({ scope: scopes.get(node) ?? state.scope });
      },
      VariableDeclarator(node, { state, next }) {
        const from = node.init ? resolve(node.init, state.scope, false) : undefined;
        if (from) destructure(node.id, from, state.scope === root);
        next();
      },
      MemberExpression(node, { state, next }) {
        resolve(node, state.scope, true);
        next();
      },
    },
  );
  return missing;
}

const nameOf = (node: Identifier | { type: "Literal"; value?: unknown }): string =>
  node.type === "Identifier" ? node.name : String(node.value);

function keyOf(node: Node, computed: boolean): string | undefined {
  if (node.type === "Identifier" && !computed) return node.name;
  return node.type === "Literal" && typeof node.value === "string" ? node.value : undefined;
}
