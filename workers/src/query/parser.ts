import { ExpressionParser } from "./expression-parser.ts";
import type { Expression, Join, Query, Select, Source } from "./syntax.ts";
import { shown, TokenReader } from "./token-reader.ts";

/**
 * Parses one SELECT of ClickHouse's dialect. Everything unknown is refused: the syntax tree cannot represent
 * table functions, SETTINGS, FORMAT, INTO OUTFILE, several statements, or anything but a SELECT.
 * @throws QueryProblem that says what is wrong and where
 */
export function parseQuery(text: string): Query {
  return new QueryParser(new TokenReader(text)).parse();
}

/** Parses the clauses of queries; `ExpressionParser` parses the expressions in them. */
class QueryParser {
  readonly #tokens: TokenReader;
  readonly #expressions: ExpressionParser;

  constructor(tokens: TokenReader) {
    this.#tokens = tokens;
    this.#expressions = new ExpressionParser(tokens, () => this.#subquery());
  }

  parse(): Query {
    const first = this.#tokens.next;
    if (first.kind === "end") throw this.#tokens.problem("The query is empty");
    if (!this.#tokens.isWord("SELECT") && !this.#tokens.isWord("WITH") && !this.#tokens.isSymbol("(")) {
      throw this.#tokens.problem(`A query begins with SELECT or WITH, not with ${shown(first)}`);
    }
    const query = this.#query();
    if (this.#tokens.takeSymbol(";") && this.#tokens.next.kind !== "end")
      throw this.#tokens.problem("Only one statement can be run at a time");
    if (this.#tokens.next.kind !== "end") throw this.#tokens.unexpected();
    return query;
  }

  #query(): Query {
    return this.#tokens.deeper(() => {
      const named: Query["named"] = [];
      if (this.#tokens.takeWord("WITH")) {
        do {
          const { offset } = this.#tokens.next;
          const name = this.#tokens.name("the name of a query");
          if (!this.#tokens.takeWord("AS") || !this.#tokens.isSymbol("(")) {
            throw this.#tokens.problem("WITH is followed by NAME AS (SELECT …)");
          }
          named.push({ name, query: this.#subquery(), offset });
        } while (this.#tokens.takeSymbol(","));
      }
      const selects = [this.#selectOrGroup()];
      let distinctUnion: boolean | null = null;
      while (this.#tokens.takeWord("UNION")) {
        const distinct = this.#tokens.takeWord("DISTINCT");
        if (!distinct && !this.#tokens.takeWord("ALL"))
          throw this.#tokens.problem("UNION is followed by ALL or DISTINCT");
        if (distinctUnion !== null && distinctUnion !== distinct) {
          throw this.#tokens.problem("UNION ALL and UNION DISTINCT can't be mixed in one query");
        }
        distinctUnion = distinct;
        selects.push(this.#selectOrGroup());
      }
      return { named, selects, distinctUnion: distinctUnion ?? false };
    });
  }

  /** Parses a SELECT, or one in parentheses. */
  #selectOrGroup(): Select {
    if (!this.#tokens.isSymbol("(")) return this.#select();
    const { offset } = this.#tokens.next;
    const query = this.#subquery();
    return {
      distinct: false,
      columns: [{ expression: { type: "star", table: null, offset }, alias: null }],
      from: { type: "subquery", query, alias: null, offset },
      joins: [],
      where: null,
      groupBy: [],
      having: null,
      orderBy: [],
      limitBy: null,
      limit: null,
      offset: null,
    };
  }

  #subquery(): Query {
    this.#tokens.expectSymbol("(");
    const query = this.#query();
    this.#tokens.expectSymbol(")");
    return query;
  }

  #select(): Select {
    this.#tokens.expectWord("SELECT");
    const distinct = this.#tokens.takeWord("DISTINCT");
    const columns = this.#tokens.list(() => {
      const expression = this.#expressions.expression();
      return { expression, alias: this.#tokens.alias() };
    });
    const from = this.#tokens.takeWord("FROM") ? this.#source() : null;
    const joins = from ? this.#joins() : [];
    const where = this.#tokens.takeWord("WHERE") ? this.#expressions.expression() : null;
    let groupBy: Expression[] = [];
    if (this.#tokens.takeWord("GROUP")) {
      this.#tokens.expectWord("BY");
      groupBy = this.#tokens.list(() => this.#expressions.expression());
    }
    const having = this.#tokens.takeWord("HAVING") ? this.#expressions.expression() : null;
    const orderBy = this.#expressions.orderBy();
    let limitBy: Select["limitBy"] = null;
    let limit: number | null = null;
    let offset: number | null = null;
    while (this.#tokens.takeWord("LIMIT")) {
      if (limit !== null) throw this.#tokens.problem("There is a LIMIT already");
      const count = this.#tokens.count();
      if (this.#tokens.takeWord("BY")) {
        limitBy = { limit: count, by: this.#tokens.list(() => this.#expressions.expression()) };
        continue;
      }
      limit = count;
      if (this.#tokens.takeSymbol(",")) {
        offset = limit;
        limit = this.#tokens.count();
      }
    }
    if (this.#tokens.takeWord("OFFSET")) offset = this.#tokens.count();
    return { distinct, columns, from, joins, where, groupBy, having, orderBy, limitBy, limit, offset };
  }

  #source(): Source {
    const { offset } = this.#tokens.next;
    if (this.#tokens.isSymbol("(")) {
      const query = this.#subquery();
      return { type: "subquery", query, alias: this.#tokens.alias(), offset };
    }
    const name = this.#tokens.name("a table");
    if (this.#tokens.isSymbol("(")) {
      throw this.#tokens.problemAt(offset, `Functions such as ${name}() can't be read from: only tables can`);
    }
    if (this.#tokens.isSymbol(".")) {
      throw this.#tokens.problemAt(
        offset,
        `A table is named alone: databases such as ${JSON.stringify(name)} can't be read`,
      );
    }
    return { type: "table", name, alias: this.#tokens.alias(), offset };
  }

  #joins(): Join[] {
    const joins: Join[] = [];
    for (;;) {
      if (this.#tokens.takeSymbol(",")) {
        joins.push({ kind: "CROSS", source: this.#source(), on: null, using: null });
        continue;
      }
      const kind = this.#joinKind();
      if (kind === null) return joins;
      const source = this.#source();
      if (kind === "CROSS") joins.push({ kind, source, on: null, using: null });
      else if (this.#tokens.takeWord("ON"))
        joins.push({ kind, source, on: this.#expressions.expression(), using: null });
      else if (this.#tokens.takeWord("USING")) {
        const inParentheses = this.#tokens.takeSymbol("(");
        const using = this.#tokens.list(() => this.#tokens.name("a column"));
        if (inParentheses) this.#tokens.expectSymbol(")");
        joins.push({ kind, source, on: null, using });
      } else throw this.#tokens.problem("A JOIN needs ON or USING");
    }
  }

  #joinKind(): Join["kind"] | null {
    for (const kind of ["INNER", "LEFT", "RIGHT", "FULL", "CROSS"] as const) {
      if (!this.#tokens.takeWord(kind)) continue;
      this.#tokens.takeWord("OUTER");
      this.#tokens.expectWord("JOIN");
      return kind;
    }
    return this.#tokens.takeWord("JOIN") ? "INNER" : null;
  }
}
