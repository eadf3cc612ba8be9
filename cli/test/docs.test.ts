/**
 * Everything that the documentation names must exist: files, functions in the life of a run, links, scripts
 * and commands of the CLI.
 */
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import type { Command } from "commander";
import { describe, expect, test } from "vitest";
import { createProgram } from "../src/program.ts";

const ROOT = resolve(import.meta.dirname, "../..");
const ARCHITECTURE = "docs/architecture.md";
/** The folder of the files that the table of a run's life names without one. */
const QUEUE = "durable-objects/src/queue";

const read = (path: string): string => readFileSync(join(ROOT, path), "utf8");
const exists = (path: string): boolean => existsSync(join(ROOT, path));

const tracked = execFileSync("git", ["ls-files"], { cwd: ROOT, encoding: "utf8" }).split("\n");
const documents = tracked.filter((path) => path.endsWith(".md") && !path.includes(".changeset/"));
const folders = new Set(tracked.filter((path) => path.includes("/")).map((path) => path.split("/")[0]));

/** The texts between backticks, outside of code blocks. */
const codeOf = (markdown: string): string[] =>
  [...markdown.replace(/```[\s\S]*?```/g, "").matchAll(/`([^`\n]+)`/g)].map((match) => match[1] ?? "");

/** The lines of shell code blocks and the code between backticks. */
const commandsOf = (markdown: string): string[] => [
  ...[...markdown.matchAll(/```sh\n([\s\S]*?)```/g)].flatMap((match) => (match[1] ?? "").split("\n")),
  ...codeOf(markdown),
];

const scriptsOf = (folder = "."): Set<string> => {
  const { scripts } = JSON.parse(read(join(folder, "package.json"))) as { scripts: Record<string, string> };
  return new Set(Object.keys(scripts));
};

/** Files that exist only after a build or a run, such as results of benchmarks. */
const isIgnored = (path: string): boolean => {
  try {
    execFileSync("git", ["check-ignore", "-q", path], { cwd: ROOT });
    return true;
  } catch {
    return false;
  }
};

describe.each(documents)("%s", (path) => {
  const markdown = read(path);

  test("names files that exist", () => {
    const named = codeOf(markdown).filter(
      (code) => /^[\w./-]+\/[\w./-]*$/.test(code) && folders.has(code.split("/")[0] ?? ""),
    );
    expect(
      named.filter((file) => !exists(file) && !exists(join(dirname(path), file)) && !isIgnored(file)),
    ).toEqual([]);
  });

  test("links to files that exist", () => {
    const targets = [...markdown.matchAll(/\]\(([^)\s]+)\)/g)].map((match) => match[1] ?? "");
    const local = targets.filter((target) => !/^(https?:|mailto:|#)/.test(target));
    expect(local.filter((target) => !exists(join(dirname(path), target.split("#")[0] ?? "")))).toEqual([]);
  });

  test("names npm scripts that exist", () => {
    const named = [...markdown.matchAll(/npm run ([\w:-]+)(?: --workspace (\S+))?/g)];
    expect(named.flatMap(([text, name = "", folder]) => (scriptsOf(folder).has(name) ? [] : [text]))).toEqual(
      [],
    );
  });

  test("names commands and options of the CLI that exist", () => {
    expect(commandsOf(markdown).flatMap(unknownInCommand)).toEqual([]);
  });
});

/** Returns the command with its first unknown word or option; nothing if the CLI knows all of them. */
function unknownInCommand(line: string): string[] {
  const [, rest] = /^(?:npx )?(?:@acme\/cli|acme) ([a-z].*)$/.exec(line.trim().replace(/\s+#.*$/, "")) ?? [];
  if (rest === undefined) return [];
  const program = createProgram();
  let command: Command = program;
  const words = rest.split(/\s+/);
  while (words.length > 0) {
    const found = command.commands.find((child) =>
      [child.name(), ...child.aliases()].includes(words[0] ?? ""),
    );
    if (!found) break;
    command = found;
    words.shift();
  }
  if (command === program) return [line];
  const known = new Set(["--help", ...command.options.flatMap(({ long, short }) => [long, short])]);
  const unknown = words.filter((word) => /^--[a-z]/.test(word)).map((word) => word.split("=")[0]);
  return unknown.filter((option) => !known.has(option)).map((option) => `${line}: ${option}`);
}

/** The files of a path: the file itself, or the TypeScript files of a folder. */
function sourcesOf(path: string): string[] {
  if (!statSync(join(ROOT, path)).isDirectory()) return [read(path)];
  return readdirSync(join(ROOT, path))
    .filter((file) => file.endsWith(".ts"))
    .map((file) => read(join(path, file)));
}

const rowsOf = (heading: string): string[][] => {
  const section = read(ARCHITECTURE).split(`## ${heading}\n`)[1]?.split("\n## ")[0] ?? "";
  const rows = section.split("\n").filter((line) => line.startsWith("|"));
  return rows.slice(2).map((row) => row.split("|").slice(1, -1));
};

describe("the map of the architecture", () => {
  test.each(rowsOf("The life of a run"))("%s", (_step, _states, functions = "", files = "") => {
    const sources = codeOf(files).flatMap((file) => {
      const inObjects = join("durable-objects/src", file);
      const path = [file, join(QUEUE, file), inObjects].find(exists);
      expect(path, `${file} does not exist`).toBeDefined();
      return sourcesOf(path ?? file);
    });
    for (const name of codeOf(functions)) {
      const declared = new RegExp(`\\b(function|class|const) ${name}\\b|^ {2}(async )?${name}\\(`, "m");
      expect(
        sources.some((source) => declared.test(source)),
        `${name} is not in ${files}`,
      ).toBe(true);
    }
  });

  test.each(rowsOf("Where each rule lives"))("%s", (_rule, files = "") => {
    let folder = "";
    for (const file of codeOf(files)) {
      // A file without a folder is in that of the file before it.
      const path = [file, join(folder, file), join(folder, "..", file)].find(exists);
      expect(path, `${file} does not exist`).toBeDefined();
      folder = dirname(path ?? file);
    }
  });

  test("leads to the function that ends an attempt", () => {
    const row = rowsOf("The life of a run").find(([step]) => step?.includes("**the attempt ends**"));
    expect(codeOf(row?.[2] ?? "")).toContain("finishAttempt");
  });
});

describe("a changeset", () => {
  const workspaces = tracked
    .filter((path) => /^[^/]+\/package\.json$/.test(path))
    .map((path) => (JSON.parse(read(path)) as { name: string }).name);

  test.each(tracked.filter((path) => /^\.changeset\/(?!README).*\.md$/.test(path)))(
    "names packages and what changed, as a release reads it: %s",
    (path) => {
      const [, bumps = "", summary = ""] = /^---\n(.+?)\n---\n([\s\S]+)$/s.exec(read(path)) ?? [];
      const names = bumps.split("\n").map((line) => /^"(.+)": (?:major|minor|patch)$/.exec(line)?.[1]);
      expect(names.filter((name) => name === undefined || !workspaces.includes(name))).toEqual([]);
      expect(summary.trim()).not.toBe("");
    },
  );
});
