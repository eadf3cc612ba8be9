/** An error in a query and its position: `line` and `column` count from 1. */
export class QueryProblem extends Error {
  readonly line: number;
  readonly column: number;
  /** @param offset of the character in the text at which the problem begins */
  constructor(message: string, text: string, offset: number) {
    const before = text.slice(0, offset).split("\n");
    const line = before.length;
    const column = (before.at(-1)?.length ?? 0) + 1;
    super(`${message} (line ${line}, column ${column})`);
    this.line = line;
    this.column = column;
  }
}
