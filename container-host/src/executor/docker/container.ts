import type { HostToRuntime } from "@acme/sdk/contract";
import type Docker from "dockerode";
import { backoffMs, sleep } from "../../backoff.ts";
import { saveDeadlineMs } from "../../checkpoints/deadlines.ts";
import { messageOf } from "../../errors.ts";
import type { RuntimeEvents, RuntimeExit, RuntimeHandle, RuntimeSaving } from "../executor.ts";
import type { ChannelServer } from "./channel-server.ts";
import { type SavedFiles, saveContainer, startSaved } from "./checkpoint.ts";
import { memoryUsed } from "./checkpoint-call.ts";
import { demultiplex } from "./demultiplex.ts";

const OUTPUT_LINES = 50;
/** How often the removal of a container is tried again. */
const REMOVALS = 5;

/** One container, from its creation to its removal. */
export class RuntimeContainer implements RuntimeHandle {
  readonly saving?: RuntimeSaving;
  readonly #channel: ChannelServer;
  readonly #events: RuntimeEvents;
  /** Aborted when the host stops. */
  readonly #closing: AbortSignal;
  #container: Docker.Container | undefined;
  #killed = false;
  /** True while its process is being written to disk. */
  #isSaving = false;
  #detached: Promise<void> | undefined;

  constructor(
    channel: ChannelServer,
    events: RuntimeEvents,
    { canBeSaved, closing }: { canBeSaved: boolean; closing: AbortSignal },
  ) {
    this.#channel = channel;
    this.#events = events;
    this.#closing = closing;
    if (!canBeSaved) return;
    this.saving = {
      detach: () => {
        this.#detached = this.#channel.pause();
      },
      attach: () => void this.#attach(),
      save: (folder) => this.#save(folder),
    };
  }

  /** Creates and starts it, from `saved` if that is given, and follows it to its end. Never rejects. */
  async run(docker: Docker, options: Docker.ContainerCreateOptions, saved?: SavedFiles): Promise<void> {
    let exit: RuntimeExit;
    try {
      await this.#channel.listen();
      this.#container = await docker.createContainer(options);
      if (this.#killed || this.#closing.aborted) exit = nothing("SIGKILL");
      else {
        await (saved ? startSaved(this.#container, saved, this.#closing) : this.#container.start());
        // It may have been killed while it was starting.
        if (this.#killed) this.kill();
        exit = await this.#ended(this.#container);
      }
    } catch (error) {
      const startError = error instanceof Error ? error : new Error(String(error));
      exit = { ...nothing(null), startError };
    }
    this.#channel.close();
    this.#events.onExit(exit);
    await this.remove();
  }

  send(message: HostToRuntime): void {
    this.#channel.send(message);
  }

  kill(): void {
    this.#killed = true;
    // While CRIU has the container, the Engine can't kill it; the end of the save does.
    if (!this.#isSaving) void this.#kill();
  }

  async #kill(): Promise<void> {
    try {
      await this.#container?.kill({ signal: "SIGKILL" });
    } catch {
      // A container that is paused since its save failed has to be removed instead. One that has ended already, or has not
      // been started yet, is removed by `run`.
      if (this.#detached) await this.remove();
    }
  }

  async #attach(): Promise<void> {
    await this.#detached;
    this.#detached = undefined;
    if (this.#killed) return;
    await this.#channel
      .listen()
      .catch((error: unknown) =>
        this.#events.onChannelError(`its channel can't be opened: ${messageOf(error)}`),
      );
  }

  async #save(folder: string): Promise<void> {
    const container = this.#container;
    if (!container || this.#killed) throw new Error("The container is gone");
    this.#closing.throwIfAborted();
    this.#isSaving = true;
    try {
      const [bytes] = await Promise.all([memoryUsed(container), this.#detached]);
      await saveContainer(container, folder, { ms: saveDeadlineMs(bytes), signal: this.#closing });
    } finally {
      this.#isSaving = false;
      if (this.#killed) void this.#kill();
    }
  }

  /**
   * Retries if the Engine does not answer or is busy with the container; the host's next start removes what
   * is left.
   */
  async remove(): Promise<void> {
    for (let failures = 1; this.#container && failures <= REMOVALS; failures++) {
      try {
        await this.#container.remove({ force: true, v: true });
        return;
      } catch (error) {
        if ((error as { statusCode?: number }).statusCode === 404) return;
        await sleep(backoffMs(failures));
      }
    }
  }

  async #ended(container: Docker.Container): Promise<RuntimeExit> {
    // The Engine may be restarted meanwhile, with or without its containers.
    for (let failures = 1; ; failures++) {
      try {
        await container.wait();
        const { State } = await container.inspect();
        if (State.Running) continue;
        const output = State.ExitCode === 0 ? "" : await this.#output(container);
        return { code: State.ExitCode, signal: null, oomKilled: State.OOMKilled, output };
      } catch (error) {
        if ((error as { statusCode?: number }).statusCode === 404)
          return { ...nothing("SIGKILL"), output: "The container was removed by somebody else" };
        await sleep(backoffMs(failures));
      }
    }
  }

  async #output(container: Docker.Container): Promise<string> {
    try {
      const raw = await container.logs({ stdout: true, stderr: true, tail: OUTPUT_LINES, follow: false });
      return demultiplex(raw);
    } catch {
      // How it ended matters more than its output.
      return "";
    }
  }
}

const nothing = (signal: string | null): RuntimeExit => ({
  code: null,
  signal,
  oomKilled: false,
  output: "",
});
