const KNOWN = ["dev", "staging", "preview", "prod"];

/** The color an environment is told by, beside its name. */
export function environmentColor(slug: string): string {
  const kind = slug.startsWith("dev-") ? "dev" : slug;
  return `var(--env-${KNOWN.includes(kind) ? kind : "preview"})`;
}
