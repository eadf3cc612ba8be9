import { type Token, tokensOf } from "./lexer.ts";
import { QueryProblem } from "./problem.ts";

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

/** Reads the tokens of a query in order, for all parts of the grammar. */
export class TokenReader {
  readonly #text: string;
  readonly #tokens: Token[];
  #at = 0;
  #depth = 0;

  constructor(text: string) {
    this.#text = text;
    this.#tokens = tokensOf(text);
  }

  /** The next token, which is of kind "end" after the last one. */
  get next(): Token {
    return this.#tokens[this.#at] as Token;
  }

  advance(): void {
    this.#at++;
  }

  /** Returns whether the token `ahead` of the next one is this keyword. */
  isWord(word: string, ahead = 0): boolean {
    const token = this.#tokens[this.#at + ahead];
    return token?.kind === "word" && token.text.toUpperCase() === word;
  }

  isSymbol(symbol: string, ahead = 0): boolean {
    const token = this.#tokens[this.#at + ahead];
    return token?.kind === "symbol" && token.text === symbol;
  }

  /** Skips the next token if it is this keyword, and returns whether it was. */
  takeWord(word: string): boolean {
    const is = this.isWord(word);
    if (is) this.#at++;
    return is;
  }

  takeSymbol(symbol: string): boolean {
    const is = this.isSymbol(symbol);
    if (is) this.#at++;
    return is;
  }

  expectWord(word: string): void {
    if (!this.takeWord(word)) throw this.problem(`Here ${word} is expected, not ${shown(this.next)}`);
  }

  expectSymbol(symbol: string): void {
    if (!this.takeSymbol(symbol)) throw this.problem(`Here "${symbol}" is expected, not ${shown(this.next)}`);
  }

  /** Reads items that are separated by commas. */
  list<T>(item: () => T): T[] {
    const items = [item()];
    while (this.takeSymbol(",")) items.push(item());
    return items;
  }

  /** Does `work` one level deeper. @throws QueryProblem if that is too deep */
  deeper<T>(work: () => T): T {
    if (++this.#depth > MAX_DEPTH)
      throw this.problem(`The query is nested more than ${MAX_DEPTH} levels deep`);
    const result = work();
    this.#depth--;
    return result;
  }

  /** Reads an alias, with or without AS, if there is one. */
  alias(): string | null {
    if (this.takeWord("AS")) return this.name("an alias");
    const { kind, text } = this.next;
    const isAlias = kind === "name" || (kind === "word" && !RESERVED.has(text.toUpperCase()));
    return isAlias ? this.name("an alias") : null;
  }

  /** Reads a name. Names that begin with __ are reserved for the database and this server. */
  name(what: string): string {
    const token = this.next;
    if (token.kind !== "name" && token.kind !== "word") {
      throw this.problem(`Here ${what} is expected, not ${shown(token)}`);
    }
    if (token.kind === "word" && RESERVED.has(token.text.toUpperCase())) {
      throw this.problem(`Here ${what} is expected, not ${token.text.toUpperCase()}`);
    }
    if (token.text.startsWith("__") || token.text === "" || token.text.length > 128) {
      throw this.problem(`${JSON.stringify(token.text.slice(0, 128))} can't be used as a name`);
    }
    this.#at++;
    return token.text;
  }

  count(): number {
    const token = this.next;
    if (token.kind !== "number" || !/^\d{1,9}$/.test(token.text)) {
      throw this.problem("A whole number is expected here");
    }
    this.#at++;
    return Number(token.text);
  }

  /** Returns the problem that the next token does not belong there. */
  unexpected(): QueryProblem {
    const word = this.next.kind === "word" ? this.next.text.toUpperCase() : "";
    const why: Record<string, string> = {
      SETTINGS: "A query can't have settings: they are the server's",
      FORMAT: "The request's `format` says in which format the answer is: a query can't",
      INTO: "A query can't write files",
      FINAL: "FINAL is not needed: tables have the newest version of each row",
    };
    return this.problem(why[word] ?? `${shown(this.next)} is not expected here`);
  }

  problem(message: string): QueryProblem {
    return this.problemAt(this.next.offset, message);
  }

  problemAt(offset: number, message: string): QueryProblem {
    return new QueryProblem(message, this.#text, offset);
  }
}

/** A token as messages show it. */
export const shown = ({ kind, text }: Token): string =>
  kind === "end" ? "the end" : JSON.stringify(text.slice(0, 60));
