import { FolderInUseError, lockFolder } from "@acme/container-host/folder-lock";
import { ServerError } from "./errors.ts";

/**
 * Takes a data folder for this process until the returned function is called or the process ends, however it ends.
 * @throws ServerError if another server has it
 */
export function lockDataDir(root: string): () => void {
  try {
    return lockFolder(root, "server");
  } catch (error) {
    if (!(error instanceof FolderInUseError)) throw error;
    throw new ServerError(
      `${root} is in use by another server (process ${error.owner}). Stop that one, or choose another folder with --data DIR.`,
    );
  }
}
