import { spawnSync } from "node:child_process";

export interface Command {
  file: string;
  args: string[];
}

/**
 * For systems without `setpriv`: a shell that starts the program in the background, prints its pid on descriptor 3, and
 * kills it when its standard input ends, which is when the parent has ended.
 */
const SHELL_GUARD = `exec 4<&0
"$@" </dev/null 3>&- 4<&- &
child=$!
echo "$child" >&3
exec 3>&-
trap 'kill -TERM "$child"' TERM INT
( trap '' TERM INT; read -r line <&4; kill -KILL "$child" ) 2>/dev/null &
watcher=$!
exec 4<&-
wait "$child"
code=$?
while kill -0 "$child" 2>/dev/null; do wait "$child"; code=$?; done
kill -KILL "$watcher" 2>/dev/null
exit "$code"`;

/** The parent (pid `$0`) may have ended before the kernel began to watch it. */
const UNLESS_ORPHANED = '[ "$PPID" = "$0" ] && exec "$@"';

let hasSetpriv: boolean | undefined;

/** Linux can kill a process when its parent ends: setpriv of util-linux asks for that, and then becomes the program. */
function kernelCan(): boolean {
  hasSetpriv ??=
    process.platform === "linux" &&
    spawnSync("setpriv", ["--pdeathsig", "KILL", "true"], { stdio: "ignore" }).status === 0;
  return hasSetpriv;
}

/**
 * Returns the command that runs a program so that the kernel kills it when this process ends, even by
 * SIGKILL. The spawned process becomes the program itself. Returns null if the system can't do that.
 */
export function killedWithParent(command: Command): Command | null {
  if (!kernelCan()) return null;
  const checked = ["/bin/sh", "-c", UNLESS_ORPHANED, String(process.pid), command.file, ...command.args];
  return { file: "setpriv", args: ["--pdeathsig", "KILL", "--", ...checked] };
}

/**
 * Like `killedWithParent`, but on every system. `guarded`: a shell runs in between; the program's pid arrives
 * as a line on descriptor 3, and standard input has to be a pipe.
 */
export function dieWithParent(command: Command, useKernel = true): Command & { guarded: boolean } {
  const direct = useKernel ? killedWithParent(command) : null;
  if (direct) return { ...direct, guarded: false };
  const args = ["-c", SHELL_GUARD, "acme-guard", command.file, ...command.args];
  return { file: "/bin/sh", args, guarded: true };
}
