import { goto } from "$app/navigation";
import { page } from "$app/state";

/** Zooms to a part of the time; going back in the history leaves it. */
export function zoomTo(from: number, to: number): void {
  const url = new URL(page.url.href);
  url.searchParams.delete("period");
  url.searchParams.set("from", String(from));
  url.searchParams.set("to", String(to));
  void goto(url, { reset: false });
}
