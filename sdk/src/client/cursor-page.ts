import { ApiPromise } from "./api-promise.ts";
import { Page } from "./page.ts";
import type { ApiResponse } from "./request.ts";

export interface CursorPageParams {
  /** Items per page. */
  limit?: number;
  /** Returns the page after this cursor: the `next` of another page. */
  after?: string;
  /** Returns the page before this cursor: the `previous` of another page. */
  before?: string;
}
export interface CursorPageBody<T> {
  data: T[];
  pagination: { next?: string | null; previous?: string | null };
}
type FetchPage<T> = (params: CursorPageParams) => CursorPagePromise<T>;

/** One page of a list. Iterating over it continues through all later pages. */
export class CursorPage<T> extends Page<T, CursorPage<T>> {
  readonly pagination: { next?: string; previous?: string };
  readonly #fetchPage: FetchPage<T>;

  constructor(body: CursorPageBody<T>, fetchPage: FetchPage<T>) {
    super(body.data);
    this.pagination = {
      next: body.pagination.next ?? undefined,
      previous: body.pagination.previous ?? undefined,
    };
    this.#fetchPage = fetchPage;
  }

  hasNextPage(): boolean {
    return Boolean(this.pagination.next);
  }
  hasPreviousPage(): boolean {
    return Boolean(this.pagination.previous);
  }
  /** @throws Error if there is none */
  getNextPage(): CursorPagePromise<T> {
    if (!this.pagination.next) throw new Error("No next page available");
    return this.#fetchPage({ after: this.pagination.next, before: undefined });
  }
  /** @throws Error if there is none */
  getPreviousPage(): CursorPagePromise<T> {
    if (!this.pagination.previous) throw new Error("No previous page available");
    return this.#fetchPage({ before: this.pagination.previous, after: undefined });
  }
}

/** The promise of a page. Iterating over it without awaiting it visits the items of all pages. */
export class CursorPagePromise<T> extends ApiPromise<CursorPage<T>> {
  constructor(response: Promise<ApiResponse<CursorPageBody<T>>>, fetchPage: FetchPage<T>) {
    super(
      response.then(({ data, response: raw }) => ({ data: new CursorPage(data, fetchPage), response: raw })),
    );
  }
  async *[Symbol.asyncIterator](): AsyncGenerator<T> {
    yield* await this;
  }
}
