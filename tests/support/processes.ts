import { readdirSync, readFileSync } from "node:fs";

/** Returns the state and parent of a process, from /proc; undefined if it does not exist. */
function statOf(pid: number): { state: string; parent: number } | undefined {
  try {
    // The second field is the command in parentheses, which can hold anything.
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const [state, parent] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return { state: state!, parent: Number(parent) };
  } catch {
    return undefined;
  }
}

/** Returns whether a process with this pid is running; a zombie is not. */
export function isAlive(pid: number): boolean {
  const stat = statOf(pid);
  return stat !== undefined && stat.state !== "Z";
}

export const parentOf = (pid: number): number | undefined => statOf(pid)?.parent;

export const childrenOf = (pid: number): number[] =>
  readdirSync("/proc")
    .map(Number)
    .filter((candidate) => Number.isInteger(candidate) && parentOf(candidate) === pid);
