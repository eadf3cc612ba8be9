import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { CreateApiKeyBody, RotateApiKeyBody, TOKEN_SCOPES } from "@acme/sdk/contract/api";
import { DEFAULT_PORT, EXECUTORS, MAX_PROCESSES } from "@acme/server";
import { CommanderError } from "commander";
import { describe, expect, it } from "vitest";
import { wordsByPath } from "../src/commands/completion.ts";
import { LIFETIME_SECONDS, MAX_OVERLAP_SECONDS } from "../src/commands/keys.ts";
import { SCOPES } from "../src/commands/login.ts";
import * as server from "../src/commands/up.ts";
import { createProgram } from "../src/program.ts";

/** Parses without running an action: the code and the output of a wrong command line. */
function refusalOf(...args: string[]): { code: number; output: string } {
  let output = "";
  const program = createProgram();
  const configure = (command: typeof program): void => {
    command.configureOutput({ writeErr: (text) => (output += text), writeOut: (text) => (output += text) });
    command.commands.forEach(configure);
  };
  configure(program);
  try {
    program.parse(args, { from: "user" });
  } catch (error) {
    if (error instanceof CommanderError) return { code: error.exitCode, output };
    throw error;
  }
  throw new Error(`"${args.join(" ")}" was accepted`);
}

describe("acme", () => {
  it("repeats the defaults of the server, which it does not load for --help", () => {
    expect(server.DEFAULT_PORT).toBe(DEFAULT_PORT);
    expect(server.EXECUTORS).toEqual(EXECUTORS);
    expect(server.MAX_PROCESSES).toBe(MAX_PROCESSES);
  });

  it("repeats limits of the API, which it does not load for --help either", () => {
    expect(SCOPES).toEqual(TOKEN_SCOPES);
    const accepts = (overlapSeconds: number) => RotateApiKeyBody.safeParse({ overlapSeconds }).success;
    expect([accepts(MAX_OVERLAP_SECONDS), accepts(MAX_OVERLAP_SECONDS + 1)]).toEqual([true, false]);
  });

  it("knows the lifetimes of a key that the server accepts", () => {
    const { min, max } = LIFETIME_SECONDS;
    const accepts = (expiresInSeconds: number) => CreateApiKeyBody.safeParse({ expiresInSeconds }).success;
    expect([min - 1, min, max, max + 1].map(accepts)).toEqual([false, true, true, false]);
  });

  it("loads neither the SDK nor the server for --help", async () => {
    const program = new URL("../src/program.ts", import.meta.url).href;
    // What a loader sees is what was imported.
    const script = `
      import { registerHooks } from "node:module";
      const loaded = [];
      registerHooks({ load: (url, context, next) => { loaded.push(url); return next(url, context); } });
      const { createProgram } = await import(${JSON.stringify(program)});
      try { createProgram().configureOutput({ writeOut: () => {} }).parse(["--help"], { from: "user" }); } catch {}
      console.log(JSON.stringify(loaded));`;
    const { stdout } = await promisify(execFile)(process.execPath, ["--input-type=module", "-e", script]);
    const root = new URL("../..", import.meta.url).href;
    const loaded = (JSON.parse(stdout) as string[]).map((url) => url.replace(root, ""));
    expect(loaded.length).toBeGreaterThan(5);
    expect(
      loaded.filter((url) =>
        /^(sdk|server)\/|^container-host\/(?!src\/flags\.ts)|node_modules\/(zod|esbuild)/.test(url),
      ),
    ).toEqual([]);
  });

  it("says what is wrong with a command line, and suggests the command", () => {
    expect(refusalOf("deplay")).toMatchObject({
      code: 1,
      output: expect.stringContaining("Did you mean deploy?"),
    });
    expect(refusalOf("trigger", "a", "{b")).toMatchObject({
      code: 1,
      output: expect.stringContaining("not JSON"),
    });
    expect(refusalOf("runs", "list", "--limit", "0")).toMatchObject({
      output: expect.stringContaining("a number from 1 to 100"),
    });
    expect(refusalOf("login", "--scope", "root")).toMatchObject({
      output: expect.stringContaining("Allowed choices are read, write, deploy, admin"),
    });
    for (const overlap of ["8d", "-1", "1w", "soon", ""]) {
      expect(refusalOf("keys", "rotate", "x", "--overlap", overlap)).toMatchObject({
        output: expect.stringContaining("up to 7 days"),
      });
    }
    expect(refusalOf("trigger", "--help")).toMatchObject({
      code: 0,
      output: expect.stringContaining("Examples:"),
    });
  });
});

describe("completion", () => {
  const words = wordsByPath(createProgram());

  it("knows every command with its options", () => {
    expect(words.get("")?.map(({ word }) => word)).toEqual(
      expect.arrayContaining(["deploy", "trigger", "runs", "queues", "schedules", "tokens", "--help"]),
    );
    expect(words.get("runs")?.map(({ word }) => word)).toEqual(
      expect.arrayContaining(["list", "get", "logs", "cancel", "replay"]),
    );
    expect(words.get("runs list")?.map(({ word }) => word)).toContain("--status");
  });

  it("completes in a real bash", async () => {
    const main = new URL("../src/main.ts", import.meta.url).pathname;
    const { stdout: script } = await promisify(execFile)(process.execPath, [main, "completion", "bash"]);
    const complete = async (...typed: string[]) => {
      const line = typed.map((word) => `"${word}"`).join(" ");
      const test = `${script}\nCOMP_WORDS=(acme ${line}); COMP_CWORD=${typed.length}; _acme; echo "\${COMPREPLY[@]}"`;
      return (await promisify(execFile)("bash", ["-c", test])).stdout.trim();
    };
    expect(await complete("ru")).toBe("runs");
    expect(await complete("runs", "ca")).toBe("cancel");
    expect(await complete("runs", "list", "--ta")).toBe("--task --tag");
    expect(await complete("runs", "list", "--limit", "5", "--js")).toBe("--json");
  });
});
