import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { afterEach, describe, expect, it } from "vitest";
import { eventually } from "../../tests/support/eventually.ts";
import { isAlive } from "../../tests/support/processes.ts";

const started: number[] = [];
afterEach(() => {
  for (const pid of started.splice(0)) if (isAlive(pid)) process.kill(pid, "SIGKILL");
});

/** A process that runs `sleep` as its child, as the server runs its parts, and prints the pids. */
async function parentOfSleep(
  useKernel: boolean,
): Promise<{ parent: number; guard: number; program: number }> {
  const module = new URL("../src/die-with-parent.ts", import.meta.url).href;
  const source = `
    import { spawn } from "node:child_process";
    import { createInterface } from "node:readline";
    import { dieWithParent } from ${JSON.stringify(module)};
    setInterval(() => {}, 1000);
    process.on("SIGUSR2", () => child.kill("SIGTERM"));
    const { file, args, guarded } = dieWithParent({ file: "sleep", args: ["1000"] }, ${useKernel});
    const child = spawn(file, args, { detached: true, stdio: ["pipe", "ignore", "ignore", "pipe"] });
    if (guarded) createInterface({ input: child.stdio[3] }).once("line", (line) => console.log(child.pid + " " + line));
    else console.log(child.pid + " " + child.pid);
    child.on("exit", (code, signal) => console.log("ended " + (signal ?? code)));
`;
  const parent = spawn(process.execPath, ["--input-type=module", "-e", source], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const line = await new Promise<string>((resolve) => {
    createInterface({ input: parent.stdout }).once("line", resolve);
  });
  const [guard, program] = line.split(" ").map(Number) as [number, number];
  started.push(parent.pid!, guard, program);
  return { parent: parent.pid!, guard, program };
}

describe.each([
  ["by the kernel", true],
  ["by a shell", false],
])("dieWithParent, %s", (_, useKernel) => {
  it("ends the program when its parent is killed", async () => {
    const { parent, guard, program } = await parentOfSleep(useKernel);
    expect(isAlive(program)).toBe(true);
    process.kill(parent, "SIGKILL");
    await eventually("the program is gone", () => !isAlive(program) && !isAlive(guard));
  });

  it("passes on the request to end", async () => {
    const { parent, guard, program } = await parentOfSleep(useKernel);
    process.kill(parent, "SIGUSR2");
    await eventually("the program is gone", () => !isAlive(program) && !isAlive(guard));
    expect(isAlive(parent)).toBe(true);
  });

  it("ends the guard when the program dies", async () => {
    const { guard, program } = await parentOfSleep(useKernel);
    process.kill(program, "SIGKILL");
    await eventually("the guard is gone", () => !isAlive(guard));
  });
});
