import type { TestProject } from "vitest/node";
import { startMailServers } from "./mail-servers.ts";
import { startSignInProviders } from "./sign-in-providers.ts";
import { startWebhookReceiver } from "./webhook-receiver.ts";

export interface Outside {
  /** Ports of the mail servers, by what they are like. */
  ports: Awaited<ReturnType<typeof startMailServers>>["ports"];
  /** Where what they received can be read; also an HTTP provider. */
  mailbox: string;
  /** Where people can sign in: a GitHub at `/github`, an issuer at `/oidc`. */
  providers: string;
  /** Where webhooks can be sent. */
  hooks: string;
}

declare module "vitest" {
  interface ProvidedContext {
    outside: Outside;
  }
}

/** What the Worker talks to in the world outside: mail servers, and places to sign in at. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const [mail, providers, hooks] = await Promise.all([
    startMailServers(),
    startSignInProviders(),
    startWebhookReceiver(),
  ]);
  project.provide("outside", {
    ports: mail.ports,
    mailbox: mail.mailbox,
    providers: providers.origin,
    hooks: hooks.origin,
  });
  return async () => void (await Promise.all([mail.stop(), providers.stop(), hooks.stop()]));
}
