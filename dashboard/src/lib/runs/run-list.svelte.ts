import type { EnvironmentApi, RunListItem } from "../api/environment-api.ts";
import { apiQuery, type RunFilters } from "./filters.ts";

const PAGE = 100;

/**
 * The runs that a filter finds, newest first: pages on demand, changes in place. New runs wait in `fresh` until they are
 * asked for, so that no row moves under the pointer.
 */
export class RunList {
  rows = $state.raw<readonly RunListItem[]>([]);
  fresh = $state.raw<readonly RunListItem[]>([]);
  loading = $state(true);
  loadingMore = $state(false);
  error = $state.raw<unknown>(null);
  /** All runs that match are loaded. */
  complete = $state(false);
  /** Ids of rows that changed a moment ago. */
  changed = $state.raw<ReadonlySet<string>>(new Set());

  #indexOf = new Map<string, number>();
  #freshIds = new Set<string>();
  #next: string | undefined;
  /** The last state that came while the first page was being loaded. */
  #early: readonly RunListItem[] = [];
  #abort = new AbortController();
  #unflash: ReturnType<typeof setTimeout> | undefined;

  constructor(
    private readonly api: EnvironmentApi,
    readonly filters: RunFilters,
  ) {}

  async load(): Promise<void> {
    this.loading = true;
    this.error = null;
    try {
      const page = await this.#page();
      this.#replace(page.data);
      this.#next = page.pagination.next;
      this.complete = this.#next === undefined;
      // What the socket told meanwhile may be newer than the page.
      this.#merge(this.#early);
      this.showFresh();
    } catch (error) {
      if (!this.#abort.signal.aborted) this.error = error;
    } finally {
      this.#early = [];
      this.loading = false;
    }
  }

  async loadMore(): Promise<void> {
    if (this.loading || this.loadingMore || this.complete || this.error) return;
    this.loadingMore = true;
    try {
      const page = await this.#page(this.#next);
      const added = page.data.filter(({ id }) => !this.#indexOf.has(id) && !this.#freshIds.has(id));
      for (const [index, run] of added.entries()) this.#indexOf.set(run.id, this.rows.length + index);
      this.rows = [...this.rows, ...added];
      this.#next = page.pagination.next;
      this.complete = this.#next === undefined;
    } catch (error) {
      if (!this.#abort.signal.aborted) this.error = error;
    } finally {
      this.loadingMore = false;
    }
  }

  /** Asks for the newest page and takes over what changed. */
  async refresh(): Promise<void> {
    if (this.loading || this.#abort.signal.aborted) return;
    const page = await this.#page();
    this.apply(page.data);
  }

  /** Runs that changed or came. A row keeps its place; what is unknown and newer than the first row is new. */
  apply(runs: readonly RunListItem[]): void {
    if (this.loading) this.#early = runs;
    else this.#merge(runs);
  }

  #merge(runs: readonly RunListItem[]): void {
    const rows = [...this.rows];
    const changed = new Set(this.changed);
    let touched = false;
    const created: RunListItem[] = [];
    let fresh = this.fresh;
    for (const run of runs) {
      const index = this.#indexOf.get(run.id);
      if (index !== undefined) {
        const known = rows[index]!;
        if (!isNewer(run, known)) continue;
        rows[index] = { ...known, ...run };
        if (known.status !== run.status) changed.add(run.id);
        touched = true;
      } else if (this.#freshIds.has(run.id)) {
        fresh = fresh.map((known) =>
          known.id === run.id && isNewer(run, known) ? { ...known, ...run } : known,
        );
      } else if (rows[0] === undefined || run.createdAt >= rows[0].createdAt) {
        created.push(run);
      }
    }
    if (touched) {
      this.rows = rows;
      this.#flash(changed);
    }
    if (created.length > 0) {
      for (const { id } of created) this.#freshIds.add(id);
      fresh = [...created, ...fresh].sort((a, b) => (a.createdAt < b.createdAt ? 1 : -1));
    }
    if (fresh !== this.fresh) this.fresh = fresh;
    if (this.rows.length === 0) this.showFresh();
  }

  /** Runs that the filter no longer finds stay in sight, as they are, until the list is loaded again. */
  showFresh(): void {
    if (this.fresh.length === 0) return;
    this.rows = [...this.fresh, ...this.rows];
    this.fresh = [];
    this.#freshIds.clear();
    this.#index();
  }

  has(id: string): boolean {
    return this.#indexOf.has(id);
  }

  /** Takes over what an action did, before the server says so. */
  patch(id: string, change: Partial<RunListItem>): void {
    const index = this.#indexOf.get(id);
    if (index === undefined) return;
    const rows = [...this.rows];
    rows[index] = { ...rows[index]!, ...change };
    this.rows = rows;
  }

  close(): void {
    this.#abort.abort();
    clearTimeout(this.#unflash);
  }

  #page(after?: string) {
    const query = { ...apiQuery(this.filters), "page[size]": PAGE, "page[after]": after };
    return this.api.listRuns(query, this.#abort.signal);
  }

  #replace(runs: readonly RunListItem[]): void {
    this.rows = runs;
    this.fresh = [];
    this.#freshIds.clear();
    this.#index();
  }

  #index(): void {
    this.#indexOf.clear();
    for (const [index, run] of this.rows.entries()) this.#indexOf.set(run.id, index);
  }

  #flash(changed: Set<string>): void {
    this.changed = changed;
    clearTimeout(this.#unflash);
    this.#unflash = setTimeout(() => {
      this.changed = new Set();
    }, 700);
  }
}

/** Answers may overtake each other: the later state of a run is kept. */
function isNewer(run: RunListItem, known: RunListItem): boolean {
  if (run.updatedAt !== known.updatedAt) return run.updatedAt > known.updatedAt;
  return run.status !== known.status && !known.isCompleted;
}
