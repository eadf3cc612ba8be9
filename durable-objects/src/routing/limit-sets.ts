/**
 * The named concurrency limits that a run holds, as one text: in alphabetical order, separated by commas, which no name contains.
 * '': none.
 */
export const limitSetOf = (names: readonly string[]): string => [...new Set(names)].sort().join(",");

export const limitNamesOf = (set: string): string[] => (set === "" ? [] : set.split(","));
