const KNOWN = ["dev", "staging", "preview", "prod"];

/** The color that identifies an environment in addition to its name. */
export function environmentColor(slug: string): string {
  const kind = slug.startsWith("dev-") ? "dev" : slug;
  return `var(--env-${KNOWN.includes(kind) ? kind : "preview"})`;
}
