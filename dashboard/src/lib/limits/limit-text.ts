import type { ConcurrencyLimit } from "../api/environment-api.ts";

export const boundText = (value: number | null): string => (value === null ? "no limit" : String(value));

export const isOverridden = ({ perKey, total }: Pick<ConcurrencyLimit, "perKey" | "total">): boolean =>
  perKey.override !== null || total.override !== null;
