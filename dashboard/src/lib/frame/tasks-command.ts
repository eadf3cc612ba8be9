import type { EnvironmentInfo } from "../api/session.ts";

/** What gives an environment its tasks: development environments execute what is on somebody's machine. */
export const tasksCommand = ({ slug, type }: Pick<EnvironmentInfo, "slug" | "type">): string =>
  type === "DEVELOPMENT" ? "npx acme dev" : `npx acme deploy --env ${slug}`;
