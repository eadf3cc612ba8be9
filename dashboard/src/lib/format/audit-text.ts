/** Actions whose name does not follow `THING.DONE`, or that read badly so. */
const EXCEPTIONS: Readonly<Record<string, string>> = {
  "bulk_action.replay": "Replayed runs in bulk",
  "bulk_action.cancel": "Canceled runs in bulk",
  "bulk_action.aborted": "Stopped a bulk action",
  "deployment.begun": "Began a deployment",
  "deployment.failed": "Reported a failed deployment",
  "query_side.rebuilt": "Rebuilt the query side",
  "encryption.rotated": "Rotated the encryption key",
  "encryption.rewrapped": "Encrypted the values with the new key",
  "variables.set": "Set variables",
  "variables.deleted": "Deleted variables",
  "project.deletion_completed": "Finished deleting a project",
  "error.unresolved": "Reopened an error",
};

/** `concurrency_limit.paused` as "Paused a concurrency limit", `member.role_changed` as "Changed the role of a member". */
export function auditText(action: string): string {
  const known = Object.hasOwn(EXCEPTIONS, action) ? EXCEPTIONS[action] : undefined;
  if (known !== undefined) return known;
  const [thing, done, ...rest] = action.split(".");
  if (!thing || !done || rest.length > 0 || !/^[a-z_]+\.[a-z_]+$/.test(action)) return action;
  const noun = thing.replaceAll("_", " ");
  const target = `${/^[aeiou]/.test(noun) ? "an" : "a"} ${noun}`;
  const words = done.split("_");
  const verb = words.at(-1) ?? done;
  // `created_or_updated` is two verbs; of `role_changed`, the first word is what was changed.
  if (words.length === 1 || words.includes("or")) return `${capital(words.join(" "))} ${target}`;
  return `${capital(verb)} the ${words.slice(0, -1).join(" ")} of ${target}`;
}

const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);
