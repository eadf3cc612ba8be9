import type { Preferences } from "@acme/sdk/contract/api";
import { request } from "../api/request.ts";

export type View = Preferences["savedViews"][number];

const PATH = "/api/v1/me/preferences";

/** The views that this person saved, on all of their machines. */
export const listViews = async (signal?: AbortSignal): Promise<View[]> =>
  (await request<Preferences>(PATH, { signal })).savedViews;

/** Changes the server's current list, because another tab may have added to it. */
export async function changeViews(change: (views: View[]) => View[]): Promise<View[]> {
  const savedViews = change(await listViews());
  return (await request<Preferences>(PATH, { method: "PUT", body: { savedViews } })).savedViews;
}

/** A view's name is unique on its page: saving under the same name replaces it. */
export const withView = (views: readonly View[], view: View): View[] => {
  const same = views.find(({ name, page }) => name === view.name && page === view.page);
  return same ? views.map((other) => (other === same ? { ...view, id: same.id } : other)) : [...views, view];
};

/** Returns whether a page's query equals a view's, ignoring the order of its parts. */
export function isSameQuery(a: string, b: string): boolean {
  const sorted = (text: string) => {
    const query = new URLSearchParams(text);
    query.sort();
    return query.toString();
  };
  return sorted(a) === sorted(b);
}
