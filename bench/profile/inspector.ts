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

/**
 * Profiles the process behind an inspector's port (workerd's `--inspector-addr`, Node's `--inspect`) while `work` runs.
 * @throws where nothing listens there
 */
export async function profiled(port: number, work: () => Promise<unknown>): Promise<CpuProfile> {
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
  const waiting = new Map<number, (result: unknown) => void>();
  socket.onmessage = (event) => {
    const { id, result } = JSON.parse(String(event.data)) as { id?: number; result?: unknown };
    if (id !== undefined) waiting.get(id)?.(result);
  };
  let id = 0;
  const call = <T>(method: string, params: object = {}): Promise<T> =>
    new Promise((resolve) => {
      id += 1;
      waiting.set(id, resolve as (result: unknown) => void);
      socket.send(JSON.stringify({ id, method, params }));
    });
  await call("Profiler.enable");
  await call("Profiler.setSamplingInterval", { interval: INTERVAL_MICROS });
  await call("Profiler.start");
  await work();
  const { profile } = await call<{ profile: CpuProfile }>("Profiler.stop");
  socket.close();
  return profile;
}
