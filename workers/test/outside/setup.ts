import type { TestProject } from "vitest/node";
import { startMailServers } from "./mail-servers.ts";

export interface Outside {
  /** Ports of the mail servers, by what they are like. */
  ports: Awaited<ReturnType<typeof startMailServers>>["ports"];
  /** Where what they received can be read; also an HTTP provider. */
  mailbox: string;
}

declare module "vitest" {
  interface ProvidedContext {
    outside: Outside;
  }
}

/** What the Worker talks to in the world outside: mail servers. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const mail = await startMailServers();
  project.provide("outside", { ports: mail.ports, mailbox: mail.mailbox });
  return mail.stop;
}
