import { existsSync, readFileSync } from "node:fs";
import { basename } from "node:path";
import { fileURLToPath } from "node:url";
import type { CpuProfile } from "./inspector.ts";

export interface Cost {
  /** Function and source file. */
  where: string;
  /** Share of all samples that were not idle, 0 to 1. */
  share: number;
}

export interface Summary {
  /** Share of the profiled time, 0 to 1. */
  busy: number;
  self: Cost[];
  /** With everything that was called from there. */
  total: Cost[];
  files: Cost[];
}

const IDLE = "(idle)";

/**
 * @param bundle the file that esbuild made of the profiled code: its comments name the source of each line
 */
export function summarize(profile: CpuProfile, bundle?: string): Summary {
  const sourceOf = bundle && existsSync(bundle) ? sourcesIn(bundle) : () => undefined;
  const names = new Map<number, { where: string; file: string }>();
  const parents = new Map<number, number>();
  for (const { id, callFrame, children } of profile.nodes) {
    const { functionName, url, lineNumber } = callFrame;
    const file = sourceOf(url, lineNumber) ?? shortened(url);
    names.set(id, {
      where: `${functionName || "(anonymous)"}${file && `  ${file}`}`,
      file: file || functionName,
    });
    for (const child of children ?? []) parents.set(child, id);
  }
  const self = new Map<string, number>();
  const total = new Map<string, number>();
  const files = new Map<string, number>();
  let idle = 0;
  let busy = 0;
  profile.samples.forEach((sample, index) => {
    const micros = profile.timeDeltas[index] ?? 0;
    const name = names.get(sample);
    if (!name) return;
    if (name.where === IDLE) {
      idle += micros;
      return;
    }
    busy += micros;
    add(self, name.where, micros);
    add(files, name.file, micros);
    const seen = new Set<string>();
    for (let node: number | undefined = sample; node !== undefined; node = parents.get(node)) {
      const { where } = names.get(node)!;
      if (!seen.has(where)) add(total, where, micros);
      seen.add(where);
    }
  });
  const costs = (of: Map<string, number>): Cost[] =>
    [...of].map(([where, micros]) => ({ where, share: micros / busy })).sort((a, b) => b.share - a.share);
  return { busy: busy / (busy + idle), self: costs(self), total: costs(total), files: costs(files) };
}

export function summaryText({ busy, self, total, files }: Summary, lines = 25): string {
  const part = (title: string, costs: Cost[]): string =>
    [
      `  ${title}`,
      ...costs.slice(0, lines).map((c) => `  ${(c.share * 100).toFixed(1).padStart(6)} %  ${c.where}`),
    ].join("\n");
  return [
    `  busy ${(busy * 100).toFixed(0)} % of the time`,
    part("self", self),
    part("with what it calls", total),
    part("by file", files),
  ].join("\n");
}

const add = (to: Map<string, number>, key: string, value: number): void => {
  to.set(key, (to.get(key) ?? 0) + value);
};

function shortened(url: string): string {
  const path = url.startsWith("file:") ? fileURLToPath(url) : url;
  return path.replace(/^.*\/(?=[^/]+\/src\/)/, "").replace(/^.*\/node_modules\//, "");
}

/** esbuild writes each source's path as a comment before its code. */
export function sourcesIn(bundle: string): (url: string, line: number) => string | undefined {
  const starts: { line: number; path: string }[] = [];
  readFileSync(bundle, "utf8")
    .split("\n")
    .forEach((text, line) => {
      const path = text.match(/^\s*\/\/ (\S+\.(?:[cm]?[jt]s|json))$/)?.[1];
      if (path) starts.push({ line, path: path.replace(/^.*node_modules\//, "") });
    });
  return (url, line) =>
    basename(url) === basename(bundle) ? starts.findLast((start) => start.line <= line)?.path : undefined;
}
