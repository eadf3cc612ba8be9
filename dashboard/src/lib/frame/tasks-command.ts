import type { EnvironmentInfo } from "../api/session.ts";

/**
 * The command that gives an environment its tasks: development environments execute the tasks on a
 * developer's machine.
 */
export const tasksCommand = ({ slug, type }: Pick<EnvironmentInfo, "slug" | "type">): string =>
  type === "DEVELOPMENT" ? "npx acme dev" : `npx acme deploy --env ${slug}`;
