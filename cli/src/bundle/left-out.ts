/** Parts of Trigger.dev that Acme leaves out: names of its SDK, or paths of its packages, and what to do instead. */
const LEFT_OUT: readonly { names: RegExp; why: string }[] = [
  {
    names:
      /^(chat|chatEvent|ChatChunkTooLargeError|isChatChunkTooLargeError|markChatAgentRunForStreamsWarning|prompts|sessions|SessionHandle|SessionInputChannel|SessionOutputChannel|skills|toolTask|ai)(\.|$)|^@trigger\.dev\/sdk\/(ai|chat|chat-server)(\/|$)/,
    why: "is for AI agents (chat, prompts, sessions, skills), which are not part of Acme: call a model in the task's own code, and send its output with streams.pipe()",
  },
  {
    names:
      /^(webhook|webhookSources|defineWebhookEndpoint|normalizeKeyString|Webhook(EndpointNotFound|Filter|Indexing|WaiterCancelled|WaiterLimit)Error)(\.|$)|^webhooks\.(?!(constructEvent|SIGNATURE_HEADER_NAME)$)/,
    why: "is for webhooks that Trigger.dev receives, which Acme does not: verify them in your app with webhooks.constructEvent(), and trigger the task from there",
  },
  {
    names: /^(auth\.getOIDCToken|OIDCTokenError|providerProducers)(\.|$)/,
    why: "is for the identity that Trigger.dev's cloud gives to runs, which Acme does not have: keep the credential as a secret variable (acme env set --secret)",
  },
  {
    names: /^query\.dashboards(\.|$)/,
    why: "is for dashboards of Trigger.dev's cloud: use query.execute() instead",
  },
];

/**
 * Returns why Acme does not have a name, like `prompts.define`, or an import's path; null if it is not one of
 * those left out.
 */
export function whyLeftOut(name: string): string | null {
  const part = LEFT_OUT.find(({ names }) => names.test(name));
  return part ? `"${name}" ${part.why}` : null;
}
