import { HostError, messageOf } from "../errors.ts";
import type { InspectedProcesses } from "../host.ts";
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
  /** See HostExtras. */
  taskVariables?: () => Record<string, string>;
  inspected?: InspectedProcesses;
}

/**
 * Opens the executor of these settings. `auto`: Docker if its Engine answers, otherwise processes.
 * `warnings`: what the operator should know about it while the host runs.
 * @throws HostError if the executor can't be opened
 */
export async function openExecutor(
  context: ExecutorContext,
): Promise<{ executor: Executor; warnings: string[] }> {
  const { settings, folders, taskVariables, inspected } = context;
  const { apiUrl, concurrency: slots, nodeArguments, separateUsers, taskFolder } = settings;
  const processes = () =>
    processExecutor({
      folders,
      apiUrl,
      slots,
      separateUsers,
      nodeArguments,
      taskFolder,
      taskVariables,
      inspected,
    });
  if (settings.executor === "process") return { executor: await processes(), warnings: [] };
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
    const isolation =
      process.getuid?.() === 0 && separateUsers
        ? "separate users isolate them from this machine and from each other, but less than containers do"
        : "they can read all files of this user, so run only code that you trust";
    const warning = `Docker can't be used (${messageOf(error)}), so tasks run in child processes: ${isolation}`;
    context.log.warn(warning);
    return { executor: await processes(), warnings: [warning] };
  }
}
