import { createInterface } from "node:readline/promises";

/** Asks a question on the terminal. The answer is trimmed. */
async function ask(question: string): Promise<string> {
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return (await terminal.question(question)).trim();
  } finally {
    terminal.close();
  }
}

export const canAsk = (): boolean => process.stdin.isTTY === true && process.stderr.isTTY === true;

export async function confirm(question: string): Promise<boolean> {
  return /^(y(es)?)?$/i.test(await ask(`${question} [Y/n] `));
}

/** Asks until one of the lines is chosen, by its number. Returns its index. */
export async function choose(question: string, lines: string[]): Promise<number> {
  for (const [index, line] of lines.entries()) console.error(`  ${index + 1}  ${line}`);
  for (;;) {
    const chosen = Number(await ask(`${question} [1-${lines.length}] `));
    if (Number.isInteger(chosen) && chosen >= 1 && chosen <= lines.length) return chosen - 1;
  }
}
