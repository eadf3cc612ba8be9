import type { TestProject } from "vitest/node";
import { startMailServers } from "./mail-servers.ts";
import { startSignInProviders } from "./sign-in-providers.ts";
import { startWebhookReceiver } from "./webhook-receiver.ts";

export interface Outside {
  /** Ports of the mail servers, by their behavior. */
  ports: Awaited<ReturnType<typeof startMailServers>>["ports"];
  /** Where received mails can be read; also an HTTP mail provider. */
  mailbox: string;
  /** Identity providers: a GitHub at `/github`, an issuer at `/oidc`. */
  providers: string;
  /** A receiver of webhooks. */
  hooks: string;
}

declare module "vitest" {
  interface ProvidedContext {
    outside: Outside;
  }
}

/** Starts the external services of the Worker: mail servers, and identity providers. */
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
