import { type IncomingHttpHeaders } from "node:http";
export interface ReceivedRequest {
  method: string;
  /** With query string. */
  path: string;
  headers: IncomingHttpHeaders;
  body: unknown;
}
export interface Answer {
  status?: number;
  headers?: Record<string, string>;
  /** Sent as JSON; a string as it is. */
  body?: unknown;
  /** Ends the connection without an answer. */
  hangUp?: boolean;
  /** Sent after the body, before the answer ends. */
  rest?: {
    after: Promise<void>;
    body: string;
  };
  /** Never answers. */
  silent?: boolean;
}
/** A real HTTP server on a free port that answers by `answer` and remembers what it received. */
export declare function apiServer(answer: (request: ReceivedRequest, count: number) => Answer): Promise<{
  connections: () => Promise<number>;
  url: string;
  received: ReceivedRequest[];
}>;
