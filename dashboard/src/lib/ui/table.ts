export interface Column {
  label: string;
  /** A track of a CSS grid. */
  width: string;
  align?: "right";
  /** Not shown, but read out. */
  quiet?: boolean;
}
