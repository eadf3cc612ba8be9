import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/**
 * Records the processes of this host on disk, so that the next start can end those that a killed host left
 * behind: a task's own child processes don't end with its channel. A process is identified by its pid and its
 * start time, because pids are reused.
 */
export class Leftovers {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** Records a process that leads its own process group. */
  add(pid: number): void {
    writeFileSync(join(this.#folder, String(pid)), startOf(pid) ?? "");
  }

  remove(pid: number): void {
    rmSync(join(this.#folder, String(pid)), { force: true });
  }

  /** Kills the process groups that are recorded. Returns how many still existed. */
  killAll(): number {
    let killed = 0;
    for (const name of readdirSync(this.#folder)) {
      const pid = Number(name);
      if (!Number.isInteger(pid) || pid <= 1) continue;
      const recorded = readFileSync(join(this.#folder, name), "utf8");
      const start = startOf(pid);
      // While a group exists, the pid of its leader is not given to another process, also after the leader has ended. After a
      // reboot the recorded start can't match, and a group without a leader is not ours.
      const ours = start === null ? bootOf(recorded) === boot() : start === recorded;
      if (ours && killGroup(pid)) killed += 1;
      this.remove(pid);
    }
    return killed;
  }
}

/** Kills a process group. Returns false if it does not exist. */
export function killGroup(pid: number): boolean {
  try {
    process.kill(-pid, "SIGKILL");
    return true;
  } catch {
    return false;
  }
}

const bootOf = (recorded: string): string | undefined => recorded.split(" ")[0];

let bootId: string | undefined;
function boot(): string {
  if (bootId === undefined) {
    try {
      bootId = readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
    } catch {
      bootId = "";
    }
  }
  return bootId;
}

/** `BOOT START` of a process; null if it does not exist. */
function startOf(pid: number): string | null {
  try {
    if (process.platform !== "linux") {
      const started = execFileSync("ps", ["-o", "lstart=", "-p", String(pid)], { encoding: "utf8" }).trim();
      return started === "" ? null : `${boot()} ${started}`;
    }
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    // The command's name in parentheses may contain anything, so the fields are counted after it.
    return `${boot()} ${stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19]}`;
  } catch {
    return null;
  }
}
