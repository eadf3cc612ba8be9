import { createServer } from "node:net";
import { ServerError } from "./errors.ts";

/**
 * Returns the port to listen on: `port` itself if it is free, or any free one for 0.
 * @throws ServerError if it is taken or not allowed
 */
export function claimPort(host: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once("error", (error: NodeJS.ErrnoException) =>
      reject(new ServerError(explain(error, host, port))),
    );
    probe.listen({ host, port, exclusive: true }, () => {
      const address = probe.address();
      const chosen = typeof address === "object" && address ? address.port : port;
      probe.close(() => resolve(chosen));
    });
  });
}

function explain(error: NodeJS.ErrnoException, host: string, port: number): string {
  switch (error.code) {
    case "EADDRINUSE":
      return `Port ${port} on ${host} is in use by another program. Choose another one with --port N (0: any free one).`;
    case "EACCES":
      return `Port ${port} may not be used without more rights. Choose one above 1023 with --port N.`;
    case "EADDRNOTAVAIL":
      return `This machine has no address ${host}. Choose another one with --host.`;
    default:
      return `Port ${port} on ${host} can't be listened on: ${error.message}`;
  }
}
