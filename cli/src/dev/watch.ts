import { relative, sep } from "node:path";
import { watch } from "chokidar";

/** Folders whose files are not part of a project's code. */
const IGNORED = new Set(["node_modules", "dist", "build", "out", "coverage"]);
/** Editors write a file in several steps, and branches change many at once. */
const GATHER_MS = 25;

/** Whether a path of the project, relative to its folder, is watched: `.env` files, but no other hidden ones. */
function isWatched(path: string): boolean {
  const parts = path.split(sep);
  const name = parts.at(-1) ?? "";
  if (parts.slice(0, -1).some((part) => IGNORED.has(part) || part.startsWith("."))) return false;
  return !IGNORED.has(name) && (!name.startsWith(".") || name.startsWith(".env"));
}

export interface Watching {
  /** Resolves when the watcher is ready. */
  ready: Promise<void>;
  close(): Promise<void>;
}

/** Calls `onChange` with the paths that changed within a short time, relative to the project's folder. */
export function watchProject(root: string, onChange: (paths: string[]) => void): Watching {
  const changed = new Set<string>();
  let timer: NodeJS.Timeout | undefined;
  const watcher = watch(root, {
    ignoreInitial: true,
    ignored: (path) => path !== root && !isWatched(relative(root, path)),
  });
  watcher.on("all", (event, path) => {
    if (event === "addDir") return;
    changed.add(relative(root, path));
    clearTimeout(timer);
    timer = setTimeout(() => {
      const paths = [...changed];
      changed.clear();
      onChange(paths);
    }, GATHER_MS);
  });
  return {
    ready: new Promise((resolve) => watcher.once("ready", () => resolve())),
    async close() {
      clearTimeout(timer);
      await watcher.close();
    },
  };
}
