import { spawn } from "node:child_process";

const COMMANDS: Partial<Record<NodeJS.Platform, readonly [command: string, ...args: string[]]>> = {
  darwin: ["open"],
  win32: ["rundll32", "url.dll,FileProtocolHandler"],
};

/**
 * Tries to show an address in a browser. The address was printed, so a machine without a browser is not an
 * error.
 */
export function openBrowser(url: string): void {
  if (!/^https?:\/\//.test(url)) return;
  const [command, ...args] = COMMANDS[process.platform] ?? ["xdg-open"];
  const child = spawn(command, [...args, url], { detached: true, stdio: "ignore" });
  child.on("error", () => {});
  child.unref();
}
