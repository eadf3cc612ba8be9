import type { Token } from "./lexer.ts";
import type { Expression, OrderItem, Query, Window } from "./syntax.ts";
import type { TokenReader } from "./token-reader.ts";
import { parseType, parseTypeInString } from "./type-parser.ts";

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

const UNITS = new Set(["SECOND", "MINUTE", "HOUR", "DAY", "WEEK", "MONTH", "QUARTER", "YEAR"]);

/** Parses expressions, by the precedence of their operators. `subquery` parses a query in parentheses. */
export class ExpressionParser {
  readonly #tokens: TokenReader;
  readonly #subquery: () => Query;

  constructor(tokens: TokenReader, subquery: () => Query) {
    this.#tokens = tokens;
    this.#subquery = subquery;
  }

  expression(): Expression {
    return this.#tokens.deeper(() => this.#or());
  }

  /** Parses ORDER BY, which a query and a window can have. */
  orderBy(): OrderItem[] {
    if (!this.#tokens.takeWord("ORDER")) return [];
    this.#tokens.expectWord("BY");
    return this.#tokens.list(() => {
      const expression = this.expression();
      const descending = this.#tokens.takeWord("DESC");
      if (!descending) this.#tokens.takeWord("ASC");
      let nulls: OrderItem["nulls"] = null;
      if (this.#tokens.takeWord("NULLS")) {
        nulls = this.#tokens.takeWord("FIRST") ? "FIRST" : "LAST";
        if (nulls === "LAST") this.#tokens.expectWord("LAST");
      }
      return { expression, descending, nulls };
    });
  }

  #or(): Expression {
    let left = this.#and();
    for (let { offset } = this.#tokens.next; this.#tokens.takeWord("OR"); { offset } = this.#tokens.next) {
      left = { type: "binary", operator: "OR", left, right: this.#and(), offset };
    }
    return left;
  }

  #and(): Expression {
    let left = this.#not();
    for (let { offset } = this.#tokens.next; this.#tokens.takeWord("AND"); { offset } = this.#tokens.next) {
      left = { type: "binary", operator: "AND", left, right: this.#not(), offset };
    }
    return left;
  }

  #not(): Expression {
    const { offset } = this.#tokens.next;
    if (!this.#tokens.takeWord("NOT")) return this.#comparison();
    return { type: "unary", operator: "NOT", operand: this.#tokens.deeper(() => this.#not()), offset };
  }

  #comparison(): Expression {
    let left = this.#concatenation();
    for (;;) {
      const { offset, kind, text } = this.#tokens.next;
      const operator = kind === "symbol" ? COMPARISONS[text] : undefined;
      if (operator !== undefined) {
        this.#tokens.advance();
        left = { type: "binary", operator, left, right: this.#concatenation(), offset };
        continue;
      }
      if (this.#tokens.takeWord("IS")) {
        const negated = this.#tokens.takeWord("NOT");
        this.#tokens.expectWord("NULL");
        left = { type: "isNull", negated, operand: left, offset };
        continue;
      }
      const negated =
        this.#tokens.isWord("NOT") &&
        ["IN", "LIKE", "ILIKE", "BETWEEN"].some((word) => this.#tokens.isWord(word, 1));
      if (negated) this.#tokens.advance();
      if (this.#tokens.takeWord("IN"))
        left = { type: "in", negated, left, right: this.#listOrQuery(), offset };
      else if (this.#tokens.takeWord("BETWEEN")) {
        const from = this.#concatenation();
        this.#tokens.expectWord("AND");
        left = { type: "between", negated, value: left, from, to: this.#concatenation(), offset };
      } else if (this.#tokens.isWord("LIKE") || this.#tokens.isWord("ILIKE")) {
        const word = this.#tokens.next.text.toUpperCase();
        this.#tokens.advance();
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
    if (this.#tokens.isSymbol("[")) {
      this.#tokens.advance();
      const items = this.#tokens.list(() => this.#constant());
      this.#tokens.expectSymbol("]");
      return items;
    }
    if (!this.#tokens.isSymbol("("))
      throw this.#tokens.problem("IN is followed by a list in parentheses or a query");
    if (this.#tokens.isWord("SELECT", 1) || this.#tokens.isWord("WITH", 1)) return this.#subquery();
    this.#tokens.expectSymbol("(");
    const items = this.#tokens.list(() => this.#constant());
    this.#tokens.expectSymbol(")");
    return items;
  }

  /** Parses a value: a literal, or an expression of literals. */
  #constant(): Expression {
    const { offset } = this.#tokens.next;
    const expression = this.expression();
    if (hasName(expression)) throw this.#tokens.problemAt(offset, "The list after IN can only have values");
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
      const { kind, text, offset } = this.#tokens.next;
      if (kind !== "symbol" || !operators.includes(text)) return left;
      this.#tokens.advance();
      left = { type: "binary", operator: text, left, right: operand(), offset };
    }
  }

  #unary(): Expression {
    const { offset } = this.#tokens.next;
    if (!this.#tokens.takeSymbol("-")) return this.#postfix();
    return { type: "unary", operator: "-", operand: this.#tokens.deeper(() => this.#unary()), offset };
  }

  #postfix(): Expression {
    let operand = this.#primary();
    for (;;) {
      const { offset } = this.#tokens.next;
      if (this.#tokens.takeSymbol("::"))
        operand = { type: "cast", operand, to: parseType(this.#tokens), offset };
      else if (this.#tokens.takeSymbol("[")) {
        const index = this.expression();
        this.#tokens.expectSymbol("]");
        operand = { type: "element", of: operand, index, offset };
      } else return operand;
    }
  }

  #primary(): Expression {
    const token = this.#tokens.next;
    const { offset } = token;
    switch (token.kind) {
      case "number":
        this.#tokens.advance();
        return { type: "number", text: token.text, offset };
      case "string":
        this.#tokens.advance();
        return { type: "string", value: token.text, offset };
      case "symbol":
        return this.#symbol(token);
      case "end":
        throw this.#tokens.problem("The query ends too early");
      default:
        return this.#word();
    }
  }

  #symbol(token: Token): Expression {
    const { offset } = token;
    if (this.#tokens.takeSymbol("*")) return { type: "star", table: null, offset };
    if (this.#tokens.takeSymbol("[")) {
      const items = this.#tokens.isSymbol("]") ? [] : this.#tokens.list(() => this.expression());
      this.#tokens.expectSymbol("]");
      return { type: "array", items, offset };
    }
    if (!this.#tokens.isSymbol("(")) throw this.#tokens.unexpected();
    if (this.#tokens.isWord("SELECT", 1) || this.#tokens.isWord("WITH", 1))
      return { type: "query", query: this.#subquery(), offset };
    this.#tokens.expectSymbol("(");
    const items = this.#tokens.list(() => this.expression());
    this.#tokens.expectSymbol(")");
    if (this.#tokens.isSymbol("->")) return this.#lambda(items, offset);
    return items.length === 1 ? (items[0] as Expression) : { type: "tuple", items, offset };
  }

  #word(): Expression {
    const { kind, text, offset } = this.#tokens.next;
    if (kind === "word") {
      const upper = text.toUpperCase();
      if (upper === "NULL" || upper === "TRUE" || upper === "FALSE") {
        this.#tokens.advance();
        return { type: "keyword", text: upper, offset };
      }
      if (upper === "CASE") return this.#case();
      if (upper === "CAST" && this.#tokens.isSymbol("(", 1)) return this.#cast();
      if (upper === "INTERVAL") return this.#interval();
      if (upper === "EXISTS" && this.#tokens.isSymbol("(", 1)) {
        this.#tokens.advance();
        return { type: "exists", query: this.#subquery(), offset };
      }
      if ((upper === "LEFT" || upper === "RIGHT" || upper === "ANY") && this.#tokens.isSymbol("(", 1)) {
        this.#tokens.advance();
        return this.#call(text, offset);
      }
    }
    const name = this.#tokens.name("an expression");
    if (this.#tokens.isSymbol("(") && kind === "word") return this.#call(name, offset);
    if (this.#tokens.isSymbol("->")) return this.#lambda([{ type: "name", parts: [name], offset }], offset);
    if (!this.#tokens.takeSymbol(".")) return { type: "name", parts: [name], offset };
    if (this.#tokens.takeSymbol("*")) return { type: "star", table: name, offset };
    const parts = [name, this.#tokens.name("a column")];
    if (this.#tokens.isSymbol("(")) {
      throw this.#tokens.problemAt(offset, `There is no function ${parts.join(".")}`);
    }
    return { type: "name", parts, offset };
  }

  #lambda(parameters: Expression[], offset: number): Expression {
    this.#tokens.expectSymbol("->");
    const names = parameters.map((parameter) => {
      if (parameter.type !== "name" || parameter.parts.length !== 1) {
        throw this.#tokens.problemAt(parameter.offset, "The parameters of a lambda are names");
      }
      return parameter.parts[0] as string;
    });
    return { type: "lambda", parameters: names, body: this.expression(), offset };
  }

  #call(name: string, offset: number): Expression {
    let { args, distinct } = this.#arguments();
    let parameters: Expression[] | null = null;
    if (this.#tokens.isSymbol("(")) {
      parameters = args;
      ({ args, distinct } = this.#arguments());
    }
    const over = this.#tokens.takeWord("OVER") ? this.#window() : null;
    return { type: "call", name, parameters, distinct, args, over, offset };
  }

  #arguments(): { args: Expression[]; distinct: boolean } {
    this.#tokens.expectSymbol("(");
    const distinct = this.#tokens.takeWord("DISTINCT");
    const args = this.#tokens.isSymbol(")") ? [] : this.#tokens.list(() => this.expression());
    this.#tokens.expectSymbol(")");
    return { args, distinct };
  }

  #window(): Window {
    this.#tokens.expectSymbol("(");
    let partitionBy: Expression[] = [];
    if (this.#tokens.takeWord("PARTITION")) {
      this.#tokens.expectWord("BY");
      partitionBy = this.#tokens.list(() => this.expression());
    }
    const orderBy = this.orderBy();
    this.#tokens.expectSymbol(")");
    return { partitionBy, orderBy };
  }

  #case(): Expression {
    const { offset } = this.#tokens.next;
    this.#tokens.expectWord("CASE");
    const operand = this.#tokens.isWord("WHEN") ? null : this.expression();
    const whens: [Expression, Expression][] = [];
    while (this.#tokens.takeWord("WHEN")) {
      const condition = this.expression();
      this.#tokens.expectWord("THEN");
      whens.push([condition, this.expression()]);
    }
    if (whens.length === 0) throw this.#tokens.problem("CASE is followed by WHEN");
    const otherwise = this.#tokens.takeWord("ELSE") ? this.expression() : null;
    this.#tokens.expectWord("END");
    return { type: "case", operand, whens, otherwise, offset };
  }

  #cast(): Expression {
    const { offset } = this.#tokens.next;
    this.#tokens.advance();
    this.#tokens.expectSymbol("(");
    const operand = this.expression();
    let to: string;
    if (this.#tokens.takeWord("AS")) to = parseType(this.#tokens);
    else {
      this.#tokens.expectSymbol(",");
      to = parseTypeInString(this.#tokens);
    }
    this.#tokens.expectSymbol(")");
    return { type: "cast", operand, to, offset };
  }

  #interval(): Expression {
    const { offset } = this.#tokens.next;
    this.#tokens.expectWord("INTERVAL");
    const token = this.#tokens.next;
    // INTERVAL '7 days', as in other dialects.
    const inString = token.kind === "string" ? /^(\d{1,9}) ([a-z]+?)s?$/i.exec(token.text) : null;
    if (inString) {
      this.#tokens.advance();
      const [, amount = "", unit = ""] = inString;
      return this.#intervalOf({ type: "number", text: amount, offset }, unit, offset);
    }
    const amount = this.#unary();
    const unit = this.#tokens.next;
    this.#tokens.advance();
    return this.#intervalOf(amount, unit.text.replace(/s$/i, ""), unit.offset);
  }

  #intervalOf(amount: Expression, unit: string, offset: number): Expression {
    const known = unit.toUpperCase();
    if (UNITS.has(known)) return { type: "interval", amount, unit: known, offset };
    throw this.#tokens.problemAt(offset, `An interval has one of the units ${[...UNITS].join(", ")}`);
  }
}

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
