/** What distinguishes a row from the others of its group. */
export interface Row {
  name: string;
  environments: number;
  partitions: number;
  /** Concurrency keys that runs are spread over; 0: runs have none. */
  keys: number;
  /** Runs that are queued all the while. */
  backlog: number;
  /**
   * Runs of one environment that are triggered together, before they are executed; null: all of a round. The
   * more runs share a commit or a message, the cheaper each is, so rows that differ in the number of
   * environments use the same number.
   */
  together: number | null;
  /** Objects are left alone for so long before each phase, which ends them: waking up is part of the cost. */
  restMs: number;
}

export interface Group {
  id: string;
  title: string;
  rows: Row[];
}

const ONE: Omit<Row, "name"> = {
  environments: 1,
  partitions: 1,
  keys: 0,
  backlog: 0,
  together: null,
  restMs: 0,
};

export const GROUPS: Group[] = [
  {
    id: "partitions",
    title: "Partitions of one queue",
    rows: [1, 2, 4, 8].map((partitions) => ({ ...ONE, name: `${partitions}`, partitions })),
  },
  {
    id: "keys",
    title: "Concurrency keys of one queue",
    rows: [1, 100, 10_000].map((keys) => ({ ...ONE, name: `${keys}`, keys })),
  },
  {
    id: "environments",
    title: "Environments, each with a queue in which four runs come together",
    rows: [
      ...[1, 100, 1_000].map((environments) => ({
        ...ONE,
        name: `${environments}`,
        environments,
        together: 4,
      })),
      { ...ONE, name: "100, all asleep before", environments: 100, together: 4, restMs: 15_000 },
    ],
  },
  {
    id: "backlog",
    title: "Runs that are queued all the while",
    rows: [1_000, 10_000, 100_000].map((backlog) => ({ ...ONE, name: `${backlog}`, backlog })),
  },
];
