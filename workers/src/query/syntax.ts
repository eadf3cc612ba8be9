/** The syntax tree of a query. `offset`: where a node begins in the text. */
export type Expression = { offset: number } & (
  | { type: "number"; text: string }
  | { type: "string"; value: string }
  | { type: "keyword"; text: "NULL" | "TRUE" | "FALSE" }
  /** A column, or an alias: `name`, or `table.name`. */
  | { type: "name"; parts: string[] }
  /** `*` or `table.*`. */
  | { type: "star"; table: string | null }
  | {
      type: "call";
      name: string;
      parameters: Expression[] | null;
      distinct: boolean;
      args: Expression[];
      over: Window | null;
    }
  | { type: "unary"; operator: "-" | "NOT"; operand: Expression }
  | { type: "binary"; operator: string; left: Expression; right: Expression }
  | { type: "in"; negated: boolean; left: Expression; right: Expression[] | Query }
  | { type: "between"; negated: boolean; value: Expression; from: Expression; to: Expression }
  | { type: "isNull"; negated: boolean; operand: Expression }
  | {
      type: "case";
      operand: Expression | null;
      whens: [Expression, Expression][];
      otherwise: Expression | null;
    }
  | { type: "cast"; operand: Expression; to: string }
  | { type: "interval"; amount: Expression; unit: string }
  | { type: "tuple"; items: Expression[] }
  | { type: "array"; items: Expression[] }
  | { type: "element"; of: Expression; index: Expression }
  | { type: "lambda"; parameters: string[]; body: Expression }
  | { type: "query"; query: Query }
  | { type: "exists"; query: Query }
);

export interface Window {
  partitionBy: Expression[];
  orderBy: OrderItem[];
}

export interface OrderItem {
  expression: Expression;
  descending: boolean;
  nulls: "FIRST" | "LAST" | null;
}

export type Source = { offset: number; alias: string | null } & (
  | { type: "table"; name: string }
  | { type: "subquery"; query: Query }
);

export interface Join {
  kind: "CROSS" | "INNER" | "LEFT" | "RIGHT" | "FULL";
  source: Source;
  on: Expression | null;
  using: string[] | null;
}

export interface Select {
  distinct: boolean;
  columns: { expression: Expression; alias: string | null }[];
  from: Source | null;
  joins: Join[];
  where: Expression | null;
  groupBy: Expression[];
  having: Expression | null;
  orderBy: OrderItem[];
  limitBy: { limit: number; by: Expression[] } | null;
  limit: number | null;
  offset: number | null;
}

/** Selects that are joined by UNION ALL, preceded by the named queries that they may read. */
export interface Query {
  named: { name: string; query: Query; offset: number }[];
  selects: Select[];
  distinctUnion: boolean;
}
