/** How long a call to another process may be silent before that process is pinged. */
const QUIET_MS = 5_000;
/** How long the process has to answer the ping. */
const ANSWER_MS = 5_000;

/**
 * Passes on the answer of a call to another process. A call may take as long as it likes, because polls are held for a
 * minute, but fails soon after its process has stopped answering: a stopped process breaks no connection.
 */
export async function watched<T>(
  call: Promise<T>,
  ping: () => Promise<void>,
  process: number,
  { quietMs, answerMs } = { quietMs: QUIET_MS, answerMs: ANSWER_MS },
): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let isOver = false;
  const silence = new Promise<never>((_, reject) => {
    const fail = (): void =>
      reject(new Error(`Process ${process} of the server has not answered for ${quietMs + answerMs} ms.`));
    const ask = (): void => {
      timer = setTimeout(fail, answerMs);
      // A process that can't be reached fails the call itself.
      ping().then(rest, rest);
    };
    const rest = (): void => {
      clearTimeout(timer);
      if (!isOver) timer = setTimeout(ask, quietMs);
    };
    rest();
  });
  try {
    return await Promise.race([call, silence]);
  } finally {
    isOver = true;
    clearTimeout(timer);
  }
}
