import { createServer } from "node:net";
import { z } from "zod";

export interface ListeningSocket {
  fd: number;
  /** Closes this process's copy. A child that inherited the socket keeps it. */
  close(): void;
}

const Handle = z.object({ fd: z.int().nonnegative() });

/**
 * Opens a socket that listens on a port together with others (SO_REUSEPORT): the kernel spreads new connections over them.
 * It gets connections as soon as it exists, so pass it to a child and close it here at once.
 */
export function listenTogether(host: string, port: number): Promise<ListeningSocket> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen({ host, port, reusePort: true, exclusive: true }, () => {
      // Node has no public name for the descriptor of a listening socket.
      const { fd } = Handle.parse(Reflect.get(server, "_handle"));
      resolve({ fd, close: () => server.close() });
    });
  });
}
