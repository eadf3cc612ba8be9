/** What a list needs to know of the query that its rows come from. */
export interface ListQuery {
  readonly data: unknown;
  readonly error: unknown;
  readonly isPending: boolean;
  refetch(): unknown;
  /** Of a query of pages. */
  readonly hasNextPage?: boolean;
  readonly isFetchingNextPage?: boolean;
  fetchNextPage?(): unknown;
}
