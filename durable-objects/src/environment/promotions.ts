import type { Meta } from "../lib/sql.ts";
import type { PromotedDeployment } from "./rpc.ts";

/** The last promoted deployment, and the number of promotions before it. */
export interface Promotion extends PromotedDeployment {
  /** Counts the promotions of the environment. */
  promotion: number;
}

/** Returns null when no deployment was promoted yet. */
export function loadPromotion(meta: Meta): Promotion | null {
  const promoted = meta.get<PromotedDeployment>("deployment");
  return promoted ? { ...promoted, promotion: promotionOf(meta) } : null;
}

export function savePromotion(meta: Meta, promoted: PromotedDeployment): void {
  meta.set("deployment", promoted);
  // The number lets queues recognize triggers that still use the declarations of an earlier promotion.
  meta.set("promotion", promotionOf(meta) + 1);
}

const promotionOf = (meta: Meta): number => meta.get<number>("promotion") ?? 0;
