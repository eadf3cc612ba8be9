/**
 * Encodes the named concurrency limits that a run holds as one text, in alphabetical order and separated by
 * commas, which no name contains. '' means none.
 */
export const limitSetOf = (names: readonly string[]): string => [...new Set(names)].sort().join(",");

export const limitNamesOf = (set: string): string[] => (set === "" ? [] : set.split(","));
