import type { EnvironmentApi, RunListItem } from "../api/environment-api.ts";
import { apiQuery, type RunFilters } from "./filters.ts";

const PAGE = 100;
/** New runs that are kept while they wait to be shown. Of more only the number is known, and the list is loaded again. */
const FRESH = 500;
/** Rows that stay when new ones are shown, which scrolls to the top. Older ones are loaded again on scroll. */
const KEPT = 2_000;
/**
 * How long after the list was opened, in milliseconds, runs that were created before that are shown at once: a run reaches
 * the list a moment after its creation.
 */
const LATE_MS = 5_000;
/** Loaded rows that are read again after a gap in the changes, in pages; and of those that no longer match, one by one. */
const REREAD = 500;
const REREAD_ALONE = 100;
const AT_ONCE = 4;
/** How long a changed row is marked, in milliseconds. */
const FLASH_MS = 700;

/**
 * The runs that a filter finds, newest first: pages on demand, changes in place. New runs wait in `fresh` until they are
 * asked for, so that no row moves under the pointer.
 */
export class RunList {
  rows = $state.raw<readonly RunListItem[]>([]);
  fresh = $state.raw<readonly RunListItem[]>([]);
  /** New runs that wait to be shown, also those that are not kept in `fresh`. */
  freshCount = $state(0);
  loading = $state(true);
  loadingMore = $state(false);
  error = $state.raw<unknown>(null);
  /** True: all matching runs are loaded. */
  complete = $state(false);
  /** Ids of rows that changed a moment ago. */
  changed = $state.raw<ReadonlySet<string>>(new Set());

  #indexOf = new Map<string, number>();
  #freshIds = new Set<string>();
  #flashes = new Map<string, number>();
  #next: string | undefined;
  /** The latest state of each run that was reported while the first page was being loaded. */
  #early = new Map<string, { run: RunListItem; matches: boolean }>();
  /** When the list was opened. */
  #openedAt = Date.now();
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
      // States that the socket sent meanwhile may be newer than the page.
      const early = [...this.#early.values()];
      this.#merge(early.filter(({ matches }) => matches).map(({ run }) => run));
      this.#update(early.filter(({ matches }) => !matches).map(({ run }) => run));
      await this.showFresh();
    } catch (error) {
      if (!this.#abort.signal.aborted) this.error = error;
    } finally {
      this.#early.clear();
      this.loading = false;
    }
  }

  async loadMore(): Promise<void> {
    if (this.loading || this.loadingMore || this.complete || this.error) return;
    await this.retryMore();
  }

  /** Loads the next page, also where that failed before. */
  async retryMore(): Promise<void> {
    this.loadingMore = true;
    this.error = null;
    try {
      const page = await this.#page(this.#next);
      const added = page.data.filter(({ id }) => !this.#indexOf.has(id));
      this.#notFresh(added);
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

  /** Fetches the newest page and applies the changes. */
  async refresh(): Promise<void> {
    if (this.loading || this.#abort.signal.aborted) return;
    // The first page is what is missing after a failure.
    if (this.error && this.rows.length === 0) return this.load();
    const page = await this.#page();
    this.apply(page.data);
  }

  /** Runs that changed or came. A row keeps its place; what is unknown and newer than the first row is new. */
  apply(runs: readonly RunListItem[]): void {
    // Where the list could not be loaded, changed runs are no list: the error stays until it is loaded.
    if (this.error && this.rows.length === 0) return;
    if (this.loading) for (const run of runs) this.#early.set(run.id, { run, matches: true });
    else this.#merge(runs);
  }

  /** Runs that changed and that the filter no longer matches: a row keeps its place, a new run is not shown. */
  leave(runs: readonly RunListItem[]): void {
    if (this.loading) for (const run of runs) this.#early.set(run.id, { run, matches: false });
    this.#notFresh(runs);
    this.#update(runs);
  }

  /** Merges the runs that have a row. */
  #update(runs: readonly RunListItem[]): void {
    this.#merge(runs.filter(({ id }) => this.#indexOf.has(id)));
  }

  /** Reads the loaded rows again, because changes of them may have been missed. Rows keep their places. */
  async reread(): Promise<void> {
    if (this.loading || this.#abort.signal.aborted) return;
    const covered = this.rows.slice(0, REREAD);
    const left = new Map(covered.filter((run) => !run.isCompleted).map((run) => [run.id, run]));
    let after: string | undefined;
    for (let read = 0; read < covered.length; read += PAGE) {
      const page = await this.#page(after);
      this.apply(page.data);
      for (const { id } of page.data) left.delete(id);
      after = page.pagination.next;
      if (after === undefined) break;
    }
    const ids = [...left.keys()].slice(0, REREAD_ALONE);
    const readNext = async (): Promise<void> => {
      for (let id = ids.pop(); id !== undefined; id = ids.pop()) {
        const run = await this.api.retrieveRun(id).catch(() => null);
        if (run && !this.#abort.signal.aborted) this.apply([run]);
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, readNext));
  }

  #merge(runs: readonly RunListItem[]): void {
    let rows: RunListItem[] | undefined;
    const changed: string[] = [];
    const created: RunListItem[] = [];
    let fresh = this.fresh;
    for (const run of runs) {
      const index = this.#indexOf.get(run.id);
      if (index !== undefined) {
        const known = (rows ?? this.rows)[index]!;
        if (!isNewer(run, known)) continue;
        rows ??= [...this.rows];
        rows[index] = { ...known, ...run };
        if (known.status !== run.status) changed.push(run.id);
      } else if (this.#freshIds.has(run.id)) {
        fresh = fresh.map((known) =>
          known.id === run.id && isNewer(run, known) ? { ...known, ...run } : known,
        );
      } else if (this.#isNew(run)) {
        created.push(run);
      }
    }
    if (rows) {
      this.rows = rows;
      this.#flash(changed);
    }
    if (created.length > 0) {
      fresh = [...created, ...fresh].sort((a, b) => (isBelow(a, b) ? 1 : -1));
      for (const { id } of created) this.#freshIds.add(id);
      for (const { id } of fresh.slice(FRESH)) this.#freshIds.delete(id);
      fresh = fresh.slice(0, FRESH);
      this.freshCount += created.length;
    }
    if (fresh !== this.fresh) this.fresh = fresh;
    if (this.rows.length === 0 || (created.length > 0 && this.#isLate())) void this.showFresh();
  }

  /** True: all new runs were there before the list was opened, which was a moment ago. */
  #isLate(): boolean {
    const openedAt = new Date(this.#openedAt).toISOString();
    return Date.now() - this.#openedAt < LATE_MS && this.fresh.every((run) => run.createdAt <= openedAt);
  }

  /**
   * Not older than the first row, and than the new runs that were dropped again because there are too many. Runs of one
   * batch are created in the same millisecond: one that belongs below the last row comes with a later page.
   */
  #isNew(run: RunListItem): boolean {
    const last = this.rows.at(-1);
    if (!this.complete && last && isBelow(run, last)) return false;
    const lastKept = this.freshCount > this.fresh.length ? this.fresh.at(-1) : undefined;
    if (lastKept) return !isBelow(run, lastKept);
    const first = this.rows[0];
    return first === undefined || run.createdAt >= first.createdAt;
  }

  /** Runs that a page has are shown where it has them. */
  #notFresh(runs: readonly RunListItem[]): void {
    const known = new Set(runs.map(({ id }) => id).filter((id) => this.#freshIds.delete(id)));
    if (known.size === 0) return;
    this.fresh = this.fresh.filter(({ id }) => !known.has(id));
    this.freshCount -= known.size;
  }

  /**
   * Runs that no longer match the filter stay visible, unchanged, until the list is loaded again. `keepAll`:
   * no loaded row is dropped, because some are selected.
   */
  async showFresh(keepAll = false): Promise<void> {
    if (this.freshCount === 0) return;
    if (this.freshCount > this.fresh.length) return this.load();
    const rows = [...this.fresh, ...this.rows];
    if (rows.length > KEPT && !keepAll) {
      rows.length = KEPT;
      this.#next = rows.at(-1)?.id;
      this.complete = false;
    }
    this.#replace(rows);
  }

  has(id: string): boolean {
    return this.#indexOf.has(id);
  }

  /** Applies the effect of an action before the server reports it. */
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
    this.freshCount = 0;
    this.#freshIds.clear();
    this.#index();
  }

  #index(): void {
    this.#indexOf.clear();
    for (const [index, run] of this.rows.entries()) this.#indexOf.set(run.id, index);
  }

  /** Each row is marked for its own time, however many others change meanwhile. */
  #flash(ids: readonly string[]): void {
    if (ids.length === 0) return;
    const until = Date.now() + FLASH_MS;
    for (const id of ids) this.#flashes.set(id, until);
    this.changed = new Set(this.#flashes.keys());
    this.#unflash ??= setTimeout(() => this.#endFlashes(), FLASH_MS);
  }

  #endFlashes(): void {
    const now = Date.now();
    for (const [id, until] of this.#flashes) if (until <= now) this.#flashes.delete(id);
    this.changed = new Set(this.#flashes.keys());
    this.#unflash = this.#flashes.size > 0 ? setTimeout(() => this.#endFlashes(), FLASH_MS / 2) : undefined;
  }
}

/** The order of the server's list. */
const isBelow = (run: RunListItem, other: RunListItem): boolean =>
  run.createdAt === other.createdAt ? run.id < other.id : run.createdAt < other.createdAt;

/** Responses may overtake each other, so the later state of a run is kept. */
function isNewer(run: RunListItem, known: RunListItem): boolean {
  if (run.updatedAt !== known.updatedAt) return run.updatedAt > known.updatedAt;
  return run.status !== known.status && !known.isCompleted;
}
