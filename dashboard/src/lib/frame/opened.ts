import { goto } from "$app/navigation";
import { page } from "$app/state";

/** What is open beside a page's list, kept in the address under `name`; other parameters stay. */
export const openedIn = (name: string) => ({
  get id(): string | null {
    return page.url.searchParams.get(name);
  },
  show(id: string | null): void {
    const url = new URL(page.url.href);
    if (id === null) url.searchParams.delete(name);
    else url.searchParams.set(name, id);
    void goto(url, { replace: true, reset: false });
  },
});
