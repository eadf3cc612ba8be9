export interface Column {
  label: string;
  /** A track of a CSS grid: a length in pixels, or `minmax()` from one. */
  width: string;
  align?: "right";
  /** Not shown, but read by screen readers. */
  quiet?: boolean;
  /** Left out where the table is too narrow: the highest first. Without it, it always stays. */
  drop?: number;
}

/** Between two columns, and at both sides of a row. */
const GAP = 16;

const leastOf = ({ width }: Column): number => Number(/(\d+)px/.exec(width)?.[1] ?? 0);

/** The numbers of the columns that a table of this width leaves out. */
export function hiddenColumns(columns: readonly Column[], width: number): ReadonlySet<number> {
  const shown = new Set(columns.keys());
  const needed = () => [...shown].reduce((sum, index) => sum + leastOf(columns[index]!) + GAP, GAP);
  const order = [...shown]
    .filter((index) => columns[index]?.drop !== undefined)
    .sort((a, b) => (columns[b]?.drop ?? 0) - (columns[a]?.drop ?? 0));
  for (const index of order) {
    if (needed() <= width) break;
    shown.delete(index);
  }
  return new Set([...columns.keys()].filter((index) => !shown.has(index)));
}
