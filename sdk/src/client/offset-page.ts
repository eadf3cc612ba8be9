import { ApiPromise } from "./api-promise.ts";
import { Page } from "./page.ts";
import type { ApiResponse } from "./request.ts";

export interface OffsetPageBody<T> {
  data: T[];
  pagination: { currentPage: number; totalPages: number; count: number };
}
type FetchPage<T> = (page: number) => OffsetLimitPagePromise<T>;

/** One numbered page of a list. Iterating over it continues through all later pages. */
export class OffsetLimitPage<T> extends Page<T, OffsetLimitPage<T>> {
  /** `count` is the number of items on all pages together. */
  readonly pagination: OffsetPageBody<T>["pagination"];
  readonly #fetchPage: FetchPage<T>;

  constructor(body: OffsetPageBody<T>, fetchPage: FetchPage<T>) {
    super(body.data);
    this.pagination = body.pagination;
    this.#fetchPage = fetchPage;
  }

  hasNextPage(): boolean {
    return this.pagination.currentPage < this.pagination.totalPages;
  }
  hasPreviousPage(): boolean {
    return this.pagination.currentPage > 1;
  }
  /** @throws Error if there is none */
  getNextPage(): OffsetLimitPagePromise<T> {
    if (!this.hasNextPage()) throw new Error("No next page available");
    return this.#fetchPage(this.pagination.currentPage + 1);
  }
  /** @throws Error if there is none */
  getPreviousPage(): OffsetLimitPagePromise<T> {
    if (!this.hasPreviousPage()) throw new Error("No previous page available");
    return this.#fetchPage(this.pagination.currentPage - 1);
  }
}

/** The promise of a page. Iterating over it without awaiting it visits the items of all pages. */
export class OffsetLimitPagePromise<T> extends ApiPromise<OffsetLimitPage<T>> {
  constructor(response: Promise<ApiResponse<OffsetPageBody<T>>>, fetchPage: FetchPage<T>) {
    super(
      response.then(({ data, response: raw }) => ({
        data: new OffsetLimitPage(data, fetchPage),
        response: raw,
      })),
    );
  }
  async *[Symbol.asyncIterator](): AsyncGenerator<T> {
    yield* await this;
  }
}
