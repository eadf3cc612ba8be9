/** A V8 CPU profile as the inspector gives it. */
export interface CpuProfile {
  nodes: {
    id: number;
    callFrame: { functionName: string; url: string; lineNumber: number };
    children?: number[];
  }[];
  samples: number[];
  /** Microseconds since the sample before. */
  timeDeltas: number[];
}

const INTERVAL_MICROS = 200;

/** Calls the process behind an inspector's port (workerd's `--inspector-addr`, Node's `--inspect`). */
export class Inspector {
  readonly #socket: WebSocket;
  readonly #waiting = new Map<number, (result: unknown) => void>();
  #id = 0;

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.onmessage = (event) => {
      const { id, result } = JSON.parse(String(event.data)) as { id?: number; result?: unknown };
      if (id === undefined) return;
      this.#waiting.get(id)?.(result);
      this.#waiting.delete(id);
    };
  }

  /** @throws where nothing listens there */
  static async open(port: number): Promise<Inspector> {
    const listed = (await (await fetch(`http://127.0.0.1:${port}/json`)).json()) as {
      id: string;
      webSocketDebuggerUrl: string;
    }[];
    // workerd lists its services: the Worker with its objects is "main". Node lists itself.
    const target = listed.find((t) => t.id.includes("main")) ?? listed[0];
    if (!target) throw new Error(`The inspector at port ${port} has nothing to inspect.`);
    const socket = new WebSocket(target.webSocketDebuggerUrl);
    await new Promise((resolve, reject) => {
      socket.onopen = resolve;
      socket.onerror = () => reject(new Error(`The inspector at port ${port} took no connection.`));
    });
    return new Inspector(socket);
  }

  call<T>(method: string, params: object = {}): Promise<T> {
    return new Promise((resolve) => {
      this.#id += 1;
      this.#waiting.set(this.#id, resolve as (result: unknown) => void);
      this.#socket.send(JSON.stringify({ id: this.#id, method, params }));
    });
  }

  close(): void {
    this.#socket.close();
  }
}

/** Profiles a process while `work` runs. */
export async function profiled(port: number, work: () => Promise<unknown>): Promise<CpuProfile> {
  const inspector = await Inspector.open(port);
  await inspector.call("Profiler.enable");
  await inspector.call("Profiler.setSamplingInterval", { interval: INTERVAL_MICROS });
  await inspector.call("Profiler.start");
  await work();
  const { profile } = await inspector.call<{ profile: CpuProfile }>("Profiler.stop");
  inspector.close();
  return profile;
}
