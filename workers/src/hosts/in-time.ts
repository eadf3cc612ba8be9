/** An object or a store that does not answer within this time is asked again with the host's next report. */
const ANSWER_MS = 10_000;

/** Rejects when there is no answer in time: the one who does not answer must not delay the others of a report. */
export async function inTime<T>(work: Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`No answer within ${ANSWER_MS} ms`)), ANSWER_MS);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
