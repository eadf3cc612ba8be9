/**
 * One page of a list. Iterating over it continues through all later pages. `Self` is the class of its
 * neighbors.
 */
export abstract class Page<T, Self extends Page<T, Self>> {
  readonly data: T[];

  constructor(data: T[]) {
    this.data = data;
  }

  abstract hasNextPage(): boolean;
  abstract hasPreviousPage(): boolean;
  /** @throws Error if there is none */
  abstract getNextPage(): PromiseLike<Self>;
  /** @throws Error if there is none */
  abstract getPreviousPage(): PromiseLike<Self>;

  getPaginatedItems(): T[] {
    return this.data;
  }
  async *iterPages(): AsyncGenerator<Self> {
    let page = this as unknown as Self;
    yield page;
    while (page.hasNextPage()) {
      page = await page.getNextPage();
      yield page;
    }
  }
  async *[Symbol.asyncIterator](): AsyncGenerator<T> {
    for await (const page of this.iterPages()) yield* page.data;
  }
}
