/** What is wrong with a query, and where: `line` and `column` from 1. */
export class QueryProblem extends Error {
  readonly line: number;
  readonly column: number;
  /** @param offset of the character in the text that the problem begins with */
  constructor(message: string, text: string, offset: number) {
    const before = text.slice(0, offset).split("\n");
    const line = before.length;
    const column = (before.at(-1)?.length ?? 0) + 1;
    super(`${message} (line ${line}, column ${column})`);
    this.line = line;
    this.column = column;
  }
}
