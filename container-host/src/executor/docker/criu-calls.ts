import { readdirSync, readFileSync } from "node:fs";

interface Process {
  pid: number;
  parent: number;
  args: string[];
}

/**
 * Kills the processes that the container runtime started to save or restore this container: CRIU, CRIU's
 * children, and with `withRuntime` the container runtime's call itself. Returns their number.
 *
 * CRIU shares a process group with containerd's shim, which must live on, so it is found as a descendant of the one process
 * that was called with this container's id and `checkpoint` or `restore`. The call fails when CRIU ends, and then thaws the
 * container.
 */
export function killCriuOf(containerId: string, { withRuntime = false } = {}): number {
  const processes = readProcesses();
  const children = Map.groupBy(processes, ({ parent }) => parent);
  const calls = processes.filter(
    ({ args }) => args.includes(containerId) && (args.includes("checkpoint") || args.includes("restore")),
  );
  const victims = new Set<number>(withRuntime ? calls.map(({ pid }) => pid) : []);
  const add = (parent: number): void => {
    for (const { pid } of children.get(parent) ?? []) {
      victims.add(pid);
      add(pid);
    }
  };
  for (const { pid } of calls) add(pid);
  for (const pid of victims) {
    try {
      process.kill(pid, "SIGKILL");
    } catch {
      // The process has ended meanwhile, which was the goal.
    }
  }
  return victims.size;
}

function readProcesses(): Process[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      try {
        const stat = readFileSync(`/proc/${name}/stat`, "utf8");
        // The command's name in parentheses may contain anything, so the fields are counted after it.
        const parent = Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]);
        const args = readFileSync(`/proc/${name}/cmdline`, "utf8").split("\0");
        return [{ pid: Number(name), parent, args }];
      } catch {
        // The process has ended since the folder was read.
        return [];
      }
    });
}
