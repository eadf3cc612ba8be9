/** The line that Node.js with `--inspect` prints when a debugger can attach. */
const LISTENING = /^Debugger listening on (ws:\/\/\S+)$/m;

/** Looks for the address of a process's debugger in its first output. */
export class InspectorLine {
  #text = "";
  #isFound = false;
  readonly #found: (url: string) => void;

  constructor(found: (url: string) => void) {
    this.#found = found;
  }

  add(chunk: Buffer): void {
    if (this.#isFound) return;
    this.#text = (this.#text + chunk.toString("latin1")).slice(-4_096);
    const url = LISTENING.exec(this.#text)?.[1];
    if (url === undefined) return;
    this.#isFound = true;
    this.#text = "";
    this.#found(url);
  }
}
