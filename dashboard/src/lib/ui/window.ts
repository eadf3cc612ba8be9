/** Computes the visible rows of a list whose rows have one height, independent of the list's length. */
export interface Visible {
  first: number;
  /** Number of rows drawn. */
  count: number;
}

/** `overscan`: rows drawn beyond each edge. */
export function visibleRows(
  scrollTop: number,
  viewport: number,
  rowHeight: number,
  total: number,
  overscan = 12,
): Visible {
  const first = Math.max(0, Math.floor(scrollTop / rowHeight) - overscan);
  const end = Math.min(total, Math.ceil((scrollTop + viewport) / rowHeight) + overscan);
  return { first: Math.min(first, Math.max(0, total - 1)), count: Math.max(0, end - first) };
}

/** Returns how far to scroll so that a row is visible; null if it is. */
export function scrollToShow(
  index: number,
  scrollTop: number,
  viewport: number,
  rowHeight: number,
): number | null {
  const top = index * rowHeight;
  if (top < scrollTop) return top;
  if (top + rowHeight > scrollTop + viewport) return top + rowHeight - viewport;
  return null;
}
