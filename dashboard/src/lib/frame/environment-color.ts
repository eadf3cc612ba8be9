const KNOWN = ["dev", "staging", "preview", "prod"];

/** The color an environment is told by, beside its name. */
export const environmentColor = (slug: string): string =>
  `var(--env-${KNOWN.includes(slug) ? slug : "preview"})`;
