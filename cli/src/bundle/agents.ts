/** Names of `@trigger.dev/sdk` for AI agents, and entry points of that package for them. */
const AGENTS =
  /^(chat|chatEvent|ChatChunkTooLargeError|isChatChunkTooLargeError|markChatAgentRunForStreamsWarning|prompts|sessions|SessionHandle|SessionInputChannel|SessionOutputChannel|skills|toolTask|ai)(\.|$)|^@trigger\.dev\/sdk\/(ai|chat|chat-server)(\/|$)/;

/** Whether a name, like `prompts.define`, or an import's path is a part of Trigger.dev that Acme leaves out. */
export const isOfAgents = (name: string): boolean => AGENTS.test(name);

export const whyNoAgents = (name: string): string =>
  `"${name}" is for AI agents (chat, prompts, sessions, skills), which are not part of Acme: call a model in the task's own code, and send what it says with streams.pipe()`;
