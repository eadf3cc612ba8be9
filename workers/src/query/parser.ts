import { type Token, tokensOf } from "./lexer.ts";
import { QueryProblem } from "./problem.ts";
import type { Expression, Join, OrderItem, Query, Select, Source, Window } from "./syntax.ts";

/** Deeper queries could exhaust the stack, here or in the database. */
const MAX_DEPTH = 50;

/** Words that end an expression or a source, and so are no aliases without AS. */
const RESERVED = new Set(
  `SELECT FROM WHERE GROUP HAVING ORDER LIMIT OFFSET UNION ALL DISTINCT AS ON USING JOIN INNER LEFT RIGHT FULL CROSS OUTER AND OR
   NOT IN LIKE ILIKE BETWEEN IS NULL CASE WHEN THEN ELSE END BY ASC DESC NULLS WITH SETTINGS FORMAT INTO PREWHERE QUALIFY
   WINDOW FINAL SAMPLE ARRAY GLOBAL ANY SEMI ANTI ASOF PASTE EXCEPT INTERSECT INTERVAL CAST EXISTS OVER FETCH`.split(
    /\s+/,
  ),
);

const COMPARISONS: Record<string, string> = {
  "=": "=",
  "==": "=",
  "!=": "!=",
  "<>": "!=",
  "<": "<",
  "<=": "<=",
  ">": ">",
  ">=": ">=",
};

const TYPES = new Set(
  `String Bool Date Date32 DateTime DateTime64 Decimal UUID Int8 Int16 Int32 Int64 UInt8 UInt16 UInt32 UInt64 Float32 Float64
   Nullable Array LowCardinality Tuple Map`.split(/\s+/),
);

const UNITS = new Set(["SECOND", "MINUTE", "HOUR", "DAY", "WEEK", "MONTH", "QUARTER", "YEAR"]);

/**
 * Parses one SELECT of ClickHouse's dialect. Everything unknown is refused: the syntax tree cannot represent
 * table functions, SETTINGS, FORMAT, INTO OUTFILE, several statements, or anything but a SELECT.
 * @throws QueryProblem that says what is wrong and where
 */
export function parseQuery(text: string): Query {
  return new Parser(text).parse();
}

class Parser {
  readonly #text: string;
  readonly #tokens: Token[];
  #at = 0;
  #depth = 0;

  constructor(text: string) {
    this.#text = text;
    this.#tokens = tokensOf(text);
  }

  parse(): Query {
    const first = this.#next;
    if (first.kind === "end") throw this.#problem("The query is empty");
    if (!this.#isWord("SELECT") && !this.#isWord("WITH") && !this.#isSymbol("(")) {
      throw this.#problem(`A query begins with SELECT or WITH, not with ${shown(first)}`);
    }
    const query = this.#query();
    if (this.#takeSymbol(";") && this.#next.kind !== "end")
      throw this.#problem("Only one statement can be run at a time");
    if (this.#next.kind !== "end") throw this.#unexpected();
    return query;
  }

  #query(): Query {
    return this.#deeper(() => {
      const named: Query["named"] = [];
      if (this.#takeWord("WITH")) {
        do {
          const { offset } = this.#next;
          const name = this.#name("the name of a query");
          if (!this.#takeWord("AS") || !this.#isSymbol("(")) {
            throw this.#problem("WITH is followed by NAME AS (SELECT …)");
          }
          named.push({ name, query: this.#subquery(), offset });
        } while (this.#takeSymbol(","));
      }
      const selects = [this.#selectOrGroup()];
      let distinctUnion: boolean | null = null;
      while (this.#takeWord("UNION")) {
        const distinct = this.#takeWord("DISTINCT");
        if (!distinct && !this.#takeWord("ALL")) throw this.#problem("UNION is followed by ALL or DISTINCT");
        if (distinctUnion !== null && distinctUnion !== distinct) {
          throw this.#problem("UNION ALL and UNION DISTINCT can't be mixed in one query");
        }
        distinctUnion = distinct;
        selects.push(this.#selectOrGroup());
      }
      return { named, selects, distinctUnion: distinctUnion ?? false };
    });
  }

  /** Parses a SELECT, or one in parentheses. */
  #selectOrGroup(): Select {
    if (!this.#isSymbol("(")) return this.#select();
    const { offset } = this.#next;
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
    this.#expectSymbol("(");
    const query = this.#query();
    this.#expectSymbol(")");
    return query;
  }

  #select(): Select {
    this.#expectWord("SELECT");
    const distinct = this.#takeWord("DISTINCT");
    const columns = this.#list(() => {
      const expression = this.#expression();
      return { expression, alias: this.#alias() };
    });
    const from = this.#takeWord("FROM") ? this.#source() : null;
    const joins = from ? this.#joins() : [];
    const where = this.#takeWord("WHERE") ? this.#expression() : null;
    let groupBy: Expression[] = [];
    if (this.#takeWord("GROUP")) {
      this.#expectWord("BY");
      groupBy = this.#list(() => this.#expression());
    }
    const having = this.#takeWord("HAVING") ? this.#expression() : null;
    const orderBy = this.#orderBy();
    let limitBy: Select["limitBy"] = null;
    let limit: number | null = null;
    let offset: number | null = null;
    while (this.#takeWord("LIMIT")) {
      if (limit !== null) throw this.#problem("There is a LIMIT already");
      const count = this.#count();
      if (this.#takeWord("BY")) {
        limitBy = { limit: count, by: this.#list(() => this.#expression()) };
        continue;
      }
      limit = count;
      if (this.#takeSymbol(",")) {
        offset = limit;
        limit = this.#count();
      }
    }
    if (this.#takeWord("OFFSET")) offset = this.#count();
    return { distinct, columns, from, joins, where, groupBy, having, orderBy, limitBy, limit, offset };
  }

  #orderBy(): OrderItem[] {
    if (!this.#takeWord("ORDER")) return [];
    this.#expectWord("BY");
    return this.#list(() => {
      const expression = this.#expression();
      const descending = this.#takeWord("DESC");
      if (!descending) this.#takeWord("ASC");
      let nulls: OrderItem["nulls"] = null;
      if (this.#takeWord("NULLS")) {
        nulls = this.#takeWord("FIRST") ? "FIRST" : "LAST";
        if (nulls === "LAST") this.#expectWord("LAST");
      }
      return { expression, descending, nulls };
    });
  }

  #source(): Source {
    const { offset } = this.#next;
    if (this.#isSymbol("(")) {
      const query = this.#subquery();
      return { type: "subquery", query, alias: this.#alias(), offset };
    }
    const name = this.#name("a table");
    if (this.#isSymbol("(")) {
      throw new QueryProblem(
        `Functions such as ${name}() can't be read from: only tables can`,
        this.#text,
        offset,
      );
    }
    if (this.#isSymbol(".")) {
      throw new QueryProblem(
        `A table is named alone: databases such as ${JSON.stringify(name)} can't be read`,
        this.#text,
        offset,
      );
    }
    return { type: "table", name, alias: this.#alias(), offset };
  }

  #joins(): Join[] {
    const joins: Join[] = [];
    for (;;) {
      if (this.#takeSymbol(",")) {
        joins.push({ kind: "CROSS", source: this.#source(), on: null, using: null });
        continue;
      }
      const kind = this.#joinKind();
      if (kind === null) return joins;
      const source = this.#source();
      if (kind === "CROSS") joins.push({ kind, source, on: null, using: null });
      else if (this.#takeWord("ON")) joins.push({ kind, source, on: this.#expression(), using: null });
      else if (this.#takeWord("USING")) {
        const inParentheses = this.#takeSymbol("(");
        const using = this.#list(() => this.#name("a column"));
        if (inParentheses) this.#expectSymbol(")");
        joins.push({ kind, source, on: null, using });
      } else throw this.#problem("A JOIN needs ON or USING");
    }
  }

  #joinKind(): Join["kind"] | null {
    for (const kind of ["INNER", "LEFT", "RIGHT", "FULL", "CROSS"] as const) {
      if (!this.#takeWord(kind)) continue;
      this.#takeWord("OUTER");
      this.#expectWord("JOIN");
      return kind;
    }
    return this.#takeWord("JOIN") ? "INNER" : null;
  }

  #alias(): string | null {
    if (this.#takeWord("AS")) return this.#name("an alias");
    const { kind, text } = this.#next;
    const isAlias = kind === "name" || (kind === "word" && !RESERVED.has(text.toUpperCase()));
    return isAlias ? this.#name("an alias") : null;
  }

  /** Parses a name. Names that begin with __ are reserved for the database and this server. */
  #name(what: string): string {
    const token = this.#next;
    if (token.kind !== "name" && token.kind !== "word") {
      throw this.#problem(`Here ${what} is expected, not ${shown(token)}`);
    }
    if (token.kind === "word" && RESERVED.has(token.text.toUpperCase())) {
      throw this.#problem(`Here ${what} is expected, not ${token.text.toUpperCase()}`);
    }
    if (token.text.startsWith("__") || token.text === "" || token.text.length > 128) {
      throw this.#problem(`${JSON.stringify(token.text.slice(0, 128))} can't be used as a name`);
    }
    this.#at++;
    return token.text;
  }

  #count(): number {
    const token = this.#next;
    if (token.kind !== "number" || !/^\d{1,9}$/.test(token.text)) {
      throw this.#problem("Here a whole number is expected");
    }
    this.#at++;
    return Number(token.text);
  }

  #expression(): Expression {
    return this.#deeper(() => this.#or());
  }

  #or(): Expression {
    let left = this.#and();
    for (let { offset } = this.#next; this.#takeWord("OR"); { offset } = this.#next) {
      left = { type: "binary", operator: "OR", left, right: this.#and(), offset };
    }
    return left;
  }

  #and(): Expression {
    let left = this.#not();
    for (let { offset } = this.#next; this.#takeWord("AND"); { offset } = this.#next) {
      left = { type: "binary", operator: "AND", left, right: this.#not(), offset };
    }
    return left;
  }

  #not(): Expression {
    const { offset } = this.#next;
    if (!this.#takeWord("NOT")) return this.#comparison();
    return { type: "unary", operator: "NOT", operand: this.#deeper(() => this.#not()), offset };
  }

  #comparison(): Expression {
    let left = this.#concatenation();
    for (;;) {
      const { offset, kind, text } = this.#next;
      const operator = kind === "symbol" ? COMPARISONS[text] : undefined;
      if (operator !== undefined) {
        this.#at++;
        left = { type: "binary", operator, left, right: this.#concatenation(), offset };
        continue;
      }
      if (this.#takeWord("IS")) {
        const negated = this.#takeWord("NOT");
        this.#expectWord("NULL");
        left = { type: "isNull", negated, operand: left, offset };
        continue;
      }
      const negated =
        this.#isWord("NOT") && ["IN", "LIKE", "ILIKE", "BETWEEN"].some((word) => this.#isWord(word, 1));
      if (negated) this.#at++;
      if (this.#takeWord("IN")) left = { type: "in", negated, left, right: this.#listOrQuery(), offset };
      else if (this.#takeWord("BETWEEN")) {
        const from = this.#concatenation();
        this.#expectWord("AND");
        left = { type: "between", negated, value: left, from, to: this.#concatenation(), offset };
      } else if (this.#isWord("LIKE") || this.#isWord("ILIKE")) {
        const word = this.#next.text.toUpperCase();
        this.#at++;
        left = {
          type: "binary",
          operator: negated ? `NOT ${word}` : word,
          left,
          right: this.#concatenation(),
          offset,
        };
      } else return left;
    }
  }

  /**
   * Parses the operand of IN: a list of values or a query. The database would treat a name there as a table.
   */
  #listOrQuery(): Expression[] | Query {
    if (this.#isSymbol("[")) {
      this.#at++;
      const items = this.#list(() => this.#constant());
      this.#expectSymbol("]");
      return items;
    }
    if (!this.#isSymbol("(")) throw this.#problem("IN is followed by a list in parentheses or a query");
    if (this.#isWord("SELECT", 1) || this.#isWord("WITH", 1)) return this.#subquery();
    this.#expectSymbol("(");
    const items = this.#list(() => this.#constant());
    this.#expectSymbol(")");
    return items;
  }

  /** Parses a value: a literal, or an expression of literals. */
  #constant(): Expression {
    const { offset } = this.#next;
    const expression = this.#expression();
    if (hasName(expression))
      throw new QueryProblem("The list after IN can only have values", this.#text, offset);
    return expression;
  }

  #concatenation(): Expression {
    return this.#leftToRight(["||"], () =>
      this.#leftToRight(["+", "-"], () => this.#leftToRight(["*", "/", "%"], () => this.#unary())),
    );
  }

  #leftToRight(operators: string[], operand: () => Expression): Expression {
    let left = operand();
    for (;;) {
      const { kind, text, offset } = this.#next;
      if (kind !== "symbol" || !operators.includes(text)) return left;
      this.#at++;
      left = { type: "binary", operator: text, left, right: operand(), offset };
    }
  }

  #unary(): Expression {
    const { offset } = this.#next;
    if (!this.#takeSymbol("-")) return this.#postfix();
    return { type: "unary", operator: "-", operand: this.#deeper(() => this.#unary()), offset };
  }

  #postfix(): Expression {
    let operand = this.#primary();
    for (;;) {
      const { offset } = this.#next;
      if (this.#takeSymbol("::")) operand = { type: "cast", operand, to: this.#type(), offset };
      else if (this.#takeSymbol("[")) {
        const index = this.#expression();
        this.#expectSymbol("]");
        operand = { type: "element", of: operand, index, offset };
      } else return operand;
    }
  }

  #primary(): Expression {
    const token = this.#next;
    const { offset } = token;
    switch (token.kind) {
      case "number":
        this.#at++;
        return { type: "number", text: token.text, offset };
      case "string":
        this.#at++;
        return { type: "string", value: token.text, offset };
      case "symbol":
        return this.#symbol(token);
      case "end":
        throw this.#problem("The query ends too early");
      default:
        return this.#word();
    }
  }

  #symbol(token: Token): Expression {
    const { offset } = token;
    if (this.#takeSymbol("*")) return { type: "star", table: null, offset };
    if (this.#takeSymbol("[")) {
      const items = this.#isSymbol("]") ? [] : this.#list(() => this.#expression());
      this.#expectSymbol("]");
      return { type: "array", items, offset };
    }
    if (!this.#isSymbol("(")) throw this.#unexpected();
    if (this.#isWord("SELECT", 1) || this.#isWord("WITH", 1))
      return { type: "query", query: this.#subquery(), offset };
    this.#expectSymbol("(");
    const items = this.#list(() => this.#expression());
    this.#expectSymbol(")");
    if (this.#isSymbol("->")) return this.#lambda(items, offset);
    return items.length === 1 ? (items[0] as Expression) : { type: "tuple", items, offset };
  }

  #word(): Expression {
    const { kind, text, offset } = this.#next;
    if (kind === "word") {
      const upper = text.toUpperCase();
      if (upper === "NULL" || upper === "TRUE" || upper === "FALSE") {
        this.#at++;
        return { type: "keyword", text: upper, offset };
      }
      if (upper === "CASE") return this.#case();
      if (upper === "CAST" && this.#isSymbol("(", 1)) return this.#cast();
      if (upper === "INTERVAL") return this.#interval();
      if (upper === "EXISTS" && this.#isSymbol("(", 1)) {
        this.#at++;
        return { type: "exists", query: this.#subquery(), offset };
      }
      if ((upper === "LEFT" || upper === "RIGHT" || upper === "ANY") && this.#isSymbol("(", 1)) {
        this.#at++;
        return this.#call(text, offset);
      }
    }
    const name = this.#name("an expression");
    if (this.#isSymbol("(") && kind === "word") return this.#call(name, offset);
    if (this.#isSymbol("->")) return this.#lambda([{ type: "name", parts: [name], offset }], offset);
    if (!this.#takeSymbol(".")) return { type: "name", parts: [name], offset };
    if (this.#takeSymbol("*")) return { type: "star", table: name, offset };
    const parts = [name, this.#name("a column")];
    if (this.#isSymbol("(")) {
      throw new QueryProblem(`There is no function ${parts.join(".")}`, this.#text, offset);
    }
    return { type: "name", parts, offset };
  }

  #lambda(parameters: Expression[], offset: number): Expression {
    this.#expectSymbol("->");
    const names = parameters.map((parameter) => {
      if (parameter.type !== "name" || parameter.parts.length !== 1) {
        throw new QueryProblem("The parameters of a lambda are names", this.#text, parameter.offset);
      }
      return parameter.parts[0] as string;
    });
    return { type: "lambda", parameters: names, body: this.#expression(), offset };
  }

  #call(name: string, offset: number): Expression {
    let { args, distinct } = this.#arguments();
    let parameters: Expression[] | null = null;
    if (this.#isSymbol("(")) {
      parameters = args;
      ({ args, distinct } = this.#arguments());
    }
    const over = this.#takeWord("OVER") ? this.#window() : null;
    return { type: "call", name, parameters, distinct, args, over, offset };
  }

  #arguments(): { args: Expression[]; distinct: boolean } {
    this.#expectSymbol("(");
    const distinct = this.#takeWord("DISTINCT");
    const args = this.#isSymbol(")") ? [] : this.#list(() => this.#expression());
    this.#expectSymbol(")");
    return { args, distinct };
  }

  #window(): Window {
    this.#expectSymbol("(");
    let partitionBy: Expression[] = [];
    if (this.#takeWord("PARTITION")) {
      this.#expectWord("BY");
      partitionBy = this.#list(() => this.#expression());
    }
    const orderBy = this.#orderBy();
    this.#expectSymbol(")");
    return { partitionBy, orderBy };
  }

  #case(): Expression {
    const { offset } = this.#next;
    this.#expectWord("CASE");
    const operand = this.#isWord("WHEN") ? null : this.#expression();
    const whens: [Expression, Expression][] = [];
    while (this.#takeWord("WHEN")) {
      const condition = this.#expression();
      this.#expectWord("THEN");
      whens.push([condition, this.#expression()]);
    }
    if (whens.length === 0) throw this.#problem("CASE is followed by WHEN");
    const otherwise = this.#takeWord("ELSE") ? this.#expression() : null;
    this.#expectWord("END");
    return { type: "case", operand, whens, otherwise, offset };
  }

  #cast(): Expression {
    const { offset } = this.#next;
    this.#at++;
    this.#expectSymbol("(");
    const operand = this.#expression();
    let to: string;
    if (this.#takeWord("AS")) to = this.#type();
    else {
      this.#expectSymbol(",");
      to = this.#typeInString();
    }
    this.#expectSymbol(")");
    return { type: "cast", operand, to, offset };
  }

  #typeInString(): string {
    const token = this.#next;
    if (token.kind !== "string") throw this.#problem("Here the name of a type in quotes is expected");
    this.#at++;
    try {
      const inner = new Parser(token.text);
      const type = inner.#type();
      if (inner.#next.kind === "end") return type;
    } catch {
      // Reported below, with the position in this query.
    }
    throw new QueryProblem(
      `${JSON.stringify(token.text)} is no type that can be used here`,
      this.#text,
      token.offset,
    );
  }

  #type(): string {
    return this.#deeper(() => {
      const token = this.#next;
      const name = [...TYPES].find((type) => type.toLowerCase() === token.text.toLowerCase());
      if (token.kind !== "word" || name === undefined) {
        throw this.#problem(`${shown(token)} is no type that can be used here`);
      }
      this.#at++;
      if (!this.#takeSymbol("(")) return name;
      const args = this.#list(() => {
        const argument = this.#next;
        if (argument.kind === "number" && /^\d{1,3}$/.test(argument.text)) {
          this.#at++;
          return argument.text;
        }
        if (argument.kind === "string" && /^[A-Za-z_+\-/0-9]{1,64}$/.test(argument.text)) {
          this.#at++;
          return `'${argument.text}'`;
        }
        return this.#type();
      });
      this.#expectSymbol(")");
      return `${name}(${args.join(", ")})`;
    });
  }

  #interval(): Expression {
    const { offset } = this.#next;
    this.#expectWord("INTERVAL");
    const token = this.#next;
    // INTERVAL '7 days', as in other dialects.
    const inString = token.kind === "string" ? /^(\d{1,9}) ([a-z]+?)s?$/i.exec(token.text) : null;
    if (inString) {
      this.#at++;
      const [, amount = "", unit = ""] = inString;
      return this.#intervalOf({ type: "number", text: amount, offset }, unit, offset);
    }
    const amount = this.#unary();
    const unit = this.#next;
    this.#at++;
    return this.#intervalOf(amount, unit.text.replace(/s$/i, ""), unit.offset);
  }

  #intervalOf(amount: Expression, unit: string, offset: number): Expression {
    const known = unit.toUpperCase();
    if (UNITS.has(known)) return { type: "interval", amount, unit: known, offset };
    throw new QueryProblem(`An interval has one of the units ${[...UNITS].join(", ")}`, this.#text, offset);
  }

  #list<T>(item: () => T): T[] {
    const items = [item()];
    while (this.#takeSymbol(",")) items.push(item());
    return items;
  }

  #deeper<T>(work: () => T): T {
    if (++this.#depth > MAX_DEPTH)
      throw this.#problem(`The query is nested more than ${MAX_DEPTH} levels deep`);
    const result = work();
    this.#depth--;
    return result;
  }

  get #next(): Token {
    return this.#tokens[this.#at] as Token;
  }

  #isWord(word: string, ahead = 0): boolean {
    const token = this.#tokens[this.#at + ahead];
    return token?.kind === "word" && token.text.toUpperCase() === word;
  }

  #isSymbol(symbol: string, ahead = 0): boolean {
    const token = this.#tokens[this.#at + ahead];
    return token?.kind === "symbol" && token.text === symbol;
  }

  #takeWord(word: string): boolean {
    const is = this.#isWord(word);
    if (is) this.#at++;
    return is;
  }

  #takeSymbol(symbol: string): boolean {
    const is = this.#isSymbol(symbol);
    if (is) this.#at++;
    return is;
  }

  #expectWord(word: string): void {
    if (!this.#takeWord(word)) throw this.#problem(`Here ${word} is expected, not ${shown(this.#next)}`);
  }

  #expectSymbol(symbol: string): void {
    if (!this.#takeSymbol(symbol))
      throw this.#problem(`Here "${symbol}" is expected, not ${shown(this.#next)}`);
  }

  #unexpected(): QueryProblem {
    const word = this.#next.kind === "word" ? this.#next.text.toUpperCase() : "";
    const why: Record<string, string> = {
      SETTINGS: "Settings are the server's: a query can't have any",
      FORMAT: "The request's `format` says in which format the answer is: a query can't",
      INTO: "A query can't write files",
      FINAL: "FINAL is not needed: tables have the newest version of each row",
    };
    return this.#problem(why[word] ?? `${shown(this.#next)} is not expected here`);
  }

  #problem(message: string): QueryProblem {
    return new QueryProblem(message, this.#text, this.#next.offset);
  }
}

const shown = ({ kind, text }: Token): string =>
  kind === "end" ? "the end" : JSON.stringify(text.slice(0, 60));

/** Returns whether an expression reads a column, an alias or a query. */
function hasName(expression: Expression): boolean {
  switch (expression.type) {
    case "number":
    case "string":
    case "keyword":
      return false;
    case "unary":
      return hasName(expression.operand);
    case "binary":
      return hasName(expression.left) || hasName(expression.right);
    case "call":
      return (
        expression.over !== null ||
        expression.args.some(hasName) ||
        (expression.parameters ?? []).some(hasName)
      );
    case "cast":
      return hasName(expression.operand);
    case "interval":
      return hasName(expression.amount);
    case "tuple":
    case "array":
      return expression.items.some(hasName);
    default:
      return true;
  }
}
