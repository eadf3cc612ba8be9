import { HostError } from "../errors.ts";
import type { Executor } from "./executor.ts";
import type { ExecutorContext } from "./open.ts";

export async function dockerExecutor(_context: ExecutorContext): Promise<Executor> {
  throw new HostError("Docker is not supported yet");
}
