/** The place of a log line in a search: its sorting key without the environment. */
export interface LogPlace {
  /** Microseconds since the epoch. */
  micros: string;
  runId: string;
  seq: number;
  row: string;
}

export const encodeCursor = ({ micros, runId, seq, row }: LogPlace): string =>
  [micros, runId, seq, row].join("~");

/** Returns null if it is not a cursor of a search. */
export function decodeCursor(text: string): LogPlace | null {
  const match = /^(\d{1,17})~([\w-]{0,128})~(\d{1,15})~(\d{1,20})$/.exec(text);
  if (!match) return null;
  const [, micros = "", runId = "", seq = "", row = ""] = match;
  return { micros, runId, seq: Number(seq), row };
}
