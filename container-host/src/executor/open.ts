import { HostError, messageOf } from "../errors.ts";
import type { HostFolders } from "../identity.ts";
import type { HostLog } from "../log.ts";
import type { HostSettings } from "../options.ts";
import type { Executor } from "./executor.ts";
import { processExecutor } from "./process.ts";

export interface ExecutorContext {
  settings: HostSettings;
  folders: HostFolders;
  hostId: string;
  log: HostLog;
}

/**
 * The executor that was asked for. `auto`: Docker where its Engine answers, else processes.
 * @throws HostError where Docker was asked for and can't be had
 */
export async function openExecutor(context: ExecutorContext): Promise<Executor> {
  const { settings, folders } = context;
  const processes = () => processExecutor({ folders, apiUrl: settings.apiUrl, slots: settings.concurrency });
  if (settings.executor === "process") return processes();
  const { dockerExecutor } = await import("./docker.ts");
  try {
    return await dockerExecutor(context);
  } catch (error) {
    if (settings.executor === "docker") {
      if (error instanceof HostError) throw error;
      throw new HostError(
        `Docker can't be used: ${messageOf(error)}. Is its Engine running? Or use --executor process.`,
      );
    }
    context.log.info(`Runs are executed in processes: Docker can't be used (${messageOf(error)})`);
    return processes();
  }
}
