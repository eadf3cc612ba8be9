/** The settings that the test passes to a page. */
export interface PageSettings {
  baseURL: string;
  /** May read runs by tag and batch, and one run. */
  accessToken: string;
  /** May trigger the task once. */
  triggerToken: string;
  runId: string;
  /** A run that the token may not read. */
  otherRunId: string;
  /** A run that waits for the input `answer`, which the token may send. */
  listeningRunId: string;
  tag: string;
  batchId: string;
  waitToken: { id: string; publicAccessToken: string };
}
