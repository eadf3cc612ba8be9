import { functionNamed, similarFunctions } from "./functions.ts";
import { parseQuery } from "./parser.ts";
import { QueryProblem } from "./problem.ts";
import type { Expression, OrderItem, Query, Select, Source } from "./syntax.ts";
import type { QueryTable } from "./tables.ts";

/** The scope of a query, which its text can't change. Times are in milliseconds since the epoch. */
export interface QueryScope {
  database: string;
  tables: QueryTable[];
  /** Only rows within this time are read. */
  range: { from: number; to: number } | null;
}

/** The maximum number of tables and subqueries that one query may read from. */
const MAX_SOURCES = 16;

/** Widths of `timeBucket()`, in seconds. */
const BUCKETS = [1, 5, 10, 30, 60, 300, 600, 1_800, 3_600, 21_600, 86_400, 604_800];
/** Roughly the number of points that a chart shows. */
const BUCKETS_OF_A_RANGE = 100;
const DEFAULT_BUCKET = 3_600;

/**
 * Compiles a user's query into a statement for ClickHouse. The text is parsed, and the statement is generated
 * from the syntax tree: only quoted names and values of the text get into it. Each table is a subquery over
 * the documented columns of one environment's rows, so the query can read nothing else.
 *
 * The statement has the parameters `scope` (key of the environment), `environment_slug`, `environment_type`, `project_ref`, and
 * with a range `from` and `to`.
 * @throws QueryProblem
 */
export function compileQuery(text: string, scope: QueryScope): string {
  return new Compiler(text, scope).query(parseQuery(text), new Set());
}

class Compiler {
  readonly #text: string;
  readonly #scope: QueryScope;
  #sources = 0;
  /** Time columns of the selects that are being generated, innermost last. */
  readonly #times: (string | null)[] = [];

  constructor(text: string, scope: QueryScope) {
    this.#text = text;
    this.#scope = scope;
  }

  /** @param outer names of the enclosing queries that it may read */
  query(query: Query, outer: ReadonlySet<string>): string {
    const visible = new Set(outer);
    const named = query.named.map(({ name, query: inner, offset }) => {
      if (this.#table(name))
        throw this.#problem(`There is a table ${name} already: call the query something else`, offset);
      if (visible.has(name)) throw this.#problem(`There is a query ${name} already`, offset);
      const sql = `${namedQuery(name)} AS (${this.query(inner, visible)})`;
      visible.add(name);
      return sql;
    });
    const selects = query.selects.map((select) => this.#select(select, visible));
    const union = query.distinctUnion ? " UNION DISTINCT " : " UNION ALL ";
    const body = selects.length === 1 ? selects[0] : selects.map((select) => `(${select})`).join(union);
    return `${named.length > 0 ? `WITH ${named.join(", ")} ` : ""}${body}`;
  }

  #select(select: Select, visible: ReadonlySet<string>): string {
    const first = select.from?.type === "table" ? this.#table(select.from.name) : undefined;
    this.#times.push(first ? first.timeColumn : null);
    const write = (expression: Expression): string => this.#expression(expression, visible);
    const all = (expressions: Expression[]): string => expressions.map(write).join(", ");
    const columns = select.columns.map(({ expression, alias }) => {
      const name = alias ?? (isTimeBucket(expression) ? "timebucket" : null);
      return name === null ? write(expression) : `${write(expression)} AS ${identifier(name)}`;
    });
    const parts = [`SELECT ${select.distinct ? "DISTINCT " : ""}${columns.join(", ")}`];
    if (select.from) parts.push(`FROM ${this.#source(select.from, visible)}`);
    for (const { kind, source, on, using } of select.joins) {
      const joined = this.#source(source, visible);
      if (kind === "CROSS") parts.push(`CROSS JOIN ${joined}`);
      else if (on) parts.push(`${kind} JOIN ${joined} ON ${write(on)}`);
      else parts.push(`${kind} JOIN ${joined} USING (${(using ?? []).map(identifier).join(", ")})`);
    }
    if (select.where) parts.push(`WHERE ${write(select.where)}`);
    if (select.groupBy.length > 0)
      parts.push(`GROUP BY ${select.groupBy.map((each) => this.#key(each, visible)).join(", ")}`);
    if (select.having) parts.push(`HAVING ${write(select.having)}`);
    if (select.orderBy.length > 0) parts.push(this.#orderBy(select.orderBy, visible));
    if (select.limitBy) parts.push(`LIMIT ${select.limitBy.limit} BY ${all(select.limitBy.by)}`);
    if (select.limit !== null) parts.push(`LIMIT ${select.limit}`);
    if (select.offset !== null) parts.push(`OFFSET ${select.offset}`);
    this.#times.pop();
    return parts.join(" ");
  }

  #orderBy(items: OrderItem[], visible: ReadonlySet<string>): string {
    const keys = items.map(({ expression, descending, nulls }) =>
      [this.#key(expression, visible), descending ? "DESC" : "", nulls ? `NULLS ${nulls}` : ""]
        .filter(Boolean)
        .join(" "),
    );
    return `ORDER BY ${keys.join(", ")}`;
  }

  /** `timeBucket` names the column that `timeBucket()` makes. */
  #key(expression: Expression, visible: ReadonlySet<string>): string {
    const isBucket =
      expression.type === "name" &&
      expression.parts.length === 1 &&
      expression.parts[0]?.toLowerCase() === "timebucket";
    return isBucket ? identifier("timebucket") : this.#expression(expression, visible);
  }

  #source(source: Source, visible: ReadonlySet<string>): string {
    if (++this.#sources > MAX_SOURCES) {
      throw this.#problem(`A query reads at most ${MAX_SOURCES} tables`, source.offset);
    }
    if (source.type === "subquery") {
      const sql = `(${this.query(source.query, visible)})`;
      return source.alias === null ? sql : `${sql} AS ${identifier(source.alias)}`;
    }
    const { name } = source;
    const alias = identifier(source.alias ?? name);
    if (visible.has(name)) return `${namedQuery(name)} AS ${alias}`;
    const table = this.#table(name);
    if (!table)
      throw this.#problem(`There is no table ${name}: there are ${this.#tableNames()}`, source.offset);
    return `${this.#rowsOf(table)} AS ${alias}`;
  }

  /** Generates the rows of a table that the query may read, with the documented columns. */
  #rowsOf({ stored, storedTime, final, columns }: QueryTable): string {
    const selected = columns.map(({ name, sql }) => `${sql} AS ${identifier(name)}`);
    const conditions = ["__rows.environment_key = {scope:String}"];
    if (this.#scope.range) {
      conditions.push(
        `__rows.${storedTime} >= fromUnixTimestamp64Milli({from:Int64}, 'UTC')`,
        `__rows.${storedTime} <= fromUnixTimestamp64Milli({to:Int64}, 'UTC')`,
      );
    }
    return `(SELECT ${selected.join(", ")} FROM ${identifier(this.#scope.database)}.${identifier(stored)} AS __rows${final ? " FINAL" : ""} WHERE ${conditions.join(" AND ")})`;
  }

  #table(name: string): QueryTable | undefined {
    return this.#scope.tables.find((table) => table.name === name);
  }

  #tableNames(): string {
    return this.#scope.tables.map(({ name }) => name).join(", ");
  }

  #expression(expression: Expression, visible: ReadonlySet<string>): string {
    const write = (part: Expression): string => this.#expression(part, visible);
    const all = (parts: Expression[]): string => parts.map(write).join(", ");
    switch (expression.type) {
      case "number":
        return expression.text;
      case "string":
        return quoted(expression.value);
      case "keyword":
        return expression.text;
      case "name":
        return expression.parts.map(identifier).join(".");
      case "star":
        return expression.table === null ? "*" : `${identifier(expression.table)}.*`;
      case "call":
        return this.#call(expression, visible);
      case "unary":
        return `(${expression.operator} ${write(expression.operand)})`;
      case "binary":
        return `(${write(expression.left)} ${expression.operator} ${write(expression.right)})`;
      case "in": {
        const { left, right, negated } = expression;
        const values = Array.isArray(right)
          ? `tuple(${all(right)})`
          : `(${this.#counted(right, expression, visible)})`;
        return `(${write(left)} ${negated ? "NOT IN" : "IN"} ${values})`;
      }
      case "between": {
        const { value, from, to, negated } = expression;
        return `(${write(value)} ${negated ? "NOT " : ""}BETWEEN ${write(from)} AND ${write(to)})`;
      }
      case "isNull":
        return `(${write(expression.operand)} IS ${expression.negated ? "NOT " : ""}NULL)`;
      case "case": {
        const { operand, whens, otherwise } = expression;
        const cases = whens.map(([when, then]) => `WHEN ${write(when)} THEN ${write(then)}`);
        return `(CASE ${operand ? `${write(operand)} ` : ""}${cases.join(" ")}${otherwise ? ` ELSE ${write(otherwise)}` : ""} END)`;
      }
      case "cast":
        return `CAST(${write(expression.operand)} AS ${expression.to})`;
      case "interval":
        return `INTERVAL ${write(expression.amount)} ${expression.unit}`;
      case "tuple":
        return `tuple(${all(expression.items)})`;
      case "array":
        return `[${all(expression.items)}]`;
      case "element":
        return `(${write(expression.of)})[${write(expression.index)}]`;
      case "lambda":
        return `((${expression.parameters.map(identifier).join(", ")}) -> ${write(expression.body)})`;
      case "query":
        return `(${this.#counted(expression.query, expression, visible)})`;
      case "exists":
        return `EXISTS (${this.#counted(expression.query, expression, visible)})`;
    }
  }

  #counted(query: Query, { offset }: Expression, visible: ReadonlySet<string>): string {
    if (++this.#sources > MAX_SOURCES)
      throw this.#problem(`A query reads at most ${MAX_SOURCES} tables`, offset);
    return this.query(query, visible);
  }

  #call(call: Extract<Expression, { type: "call" }>, visible: ReadonlySet<string>): string {
    const all = (parts: Expression[]): string =>
      parts.map((part) => this.#expression(part, visible)).join(", ");
    if (isTimeBucket(call)) return this.#timeBucket(call.offset);
    // The function determines how the dashboard shows a value.
    if (call.name.toLowerCase() === "prettyformat" && call.args.length === 2)
      return all(call.args.slice(0, 1));
    const name = functionNamed(call.name);
    if (name === undefined) {
      const similar = similarFunctions(call.name);
      throw this.#problem(
        `There is no function ${call.name} that a query can call${similar.length > 0 ? `: did you mean ${similar.join(", ")}?` : ""}`,
        call.offset,
      );
    }
    const parameters = call.parameters ? `(${all(call.parameters)})` : "";
    const over = call.over ? ` OVER (${this.#window(call.over, visible)})` : "";
    return `${name}${parameters}(${call.distinct ? "DISTINCT " : ""}${all(call.args)})${over}`;
  }

  #window(window: { partitionBy: Expression[]; orderBy: OrderItem[] }, visible: ReadonlySet<string>): string {
    const parts: string[] = [];
    if (window.partitionBy.length > 0) {
      parts.push(
        `PARTITION BY ${window.partitionBy.map((each) => this.#expression(each, visible)).join(", ")}`,
      );
    }
    if (window.orderBy.length > 0) parts.push(this.#orderBy(window.orderBy, visible));
    return parts.join(" ");
  }

  #timeBucket(offset: number): string {
    const time = this.#times.at(-1);
    if (!time) throw this.#problem("timeBucket() needs a table after FROM, whose time it divides", offset);
    const { range } = this.#scope;
    const wanted = range ? (range.to - range.from) / 1000 / BUCKETS_OF_A_RANGE : DEFAULT_BUCKET;
    const seconds = BUCKETS.find((bucket) => bucket >= wanted) ?? BUCKETS.at(-1);
    return `toStartOfInterval(toDateTime(${identifier(time)}), toIntervalSecond(${seconds}))`;
  }

  #problem(message: string, offset: number): QueryProblem {
    return new QueryProblem(message, this.#text, offset);
  }
}

const isTimeBucket = (expression: Expression): boolean =>
  expression.type === "call" &&
  expression.name.toLowerCase() === "timebucket" &&
  expression.args.length === 0;

/** A user's named query after WITH. No stored table has such a name. */
const namedQuery = (name: string): string => identifier(`__named_${name}`);

const escaped = (text: string): string =>
  text.replaceAll(/[\\'`\0]/g, (character) => (character === "\0" ? "\\0" : `\\${character}`));

const quoted = (text: string): string => `'${escaped(text)}'`;
const identifier = (name: string): string => `\`${escaped(name)}\``;
