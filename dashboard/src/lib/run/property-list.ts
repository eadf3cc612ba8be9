export interface Property {
  name: string;
  value: string;
  /** Shown in a fixed-width font, with a button to copy it. */
  code?: boolean;
  href?: string;
  /** A moment: shown relative, exact on hover. */
  time?: boolean;
}
