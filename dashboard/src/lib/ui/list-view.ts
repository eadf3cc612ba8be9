/** What a list needs to know of the query that its rows come from. */
export interface ListQuery {
  readonly data: unknown;
  readonly error: unknown;
  readonly isPending: boolean;
  refetch(): unknown;
  /** Present only in paginated queries, like the two below. */
  readonly hasNextPage?: boolean;
  readonly isFetchingNextPage?: boolean;
  fetchNextPage?(): unknown;
}
