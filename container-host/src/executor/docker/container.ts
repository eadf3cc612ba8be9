import type { HostToRuntime } from "@acme/sdk/contract";
import type Docker from "dockerode";
import { backoffMs, sleep } from "../../backoff.ts";
import { messageOf } from "../../errors.ts";
import type { RuntimeEvents, RuntimeExit, RuntimeHandle } from "../executor.ts";
import type { ChannelServer } from "./channel-server.ts";
import { saveContainer, startSaved } from "./checkpoint.ts";
import { demultiplex } from "./demultiplex.ts";

const OUTPUT_LINES = 50;

/** One container, from its creation to its removal. */
export class RuntimeContainer implements RuntimeHandle {
  readonly #channel: ChannelServer;
  readonly #events: RuntimeEvents;
  #container: Docker.Container | undefined;
  #killed = false;

  constructor(channel: ChannelServer, events: RuntimeEvents) {
    this.#channel = channel;
    this.#events = events;
  }

  /** Creates and starts it, from `saved` where that is given, and follows it to its end. Never rejects. */
  async run(
    docker: Docker,
    options: Docker.ContainerCreateOptions,
    saved?: { folder: string; engineRoot: string },
  ): Promise<void> {
    let exit: RuntimeExit;
    try {
      await this.#channel.listen();
      this.#container = await docker.createContainer(options);
      if (this.#killed) exit = nothing("SIGKILL");
      else {
        await (saved ? startSaved(this.#container, saved) : this.#container.start());
        // Asked to end while it was starting.
        if (this.#killed) this.kill();
        exit = await this.#ended(this.#container);
      }
    } catch (error) {
      exit = { ...nothing(null), startError: messageOf(error) };
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
    // It may be gone already, or not have been started: `run` sees to that.
    this.#container?.kill({ signal: "SIGKILL" }).catch(() => {});
  }

  async save(folder: string): Promise<void> {
    const container = this.#container;
    if (!container) throw new Error("The container has not been started");
    // A process that is connected to anything can't be saved.
    await this.#channel.pause();
    try {
      await saveContainer(container, folder);
    } catch (error) {
      if (!this.#killed) await this.#channel.listen();
      throw error;
    }
  }

  async remove(): Promise<void> {
    await this.#container?.remove({ force: true, v: true }).catch(() => {});
  }

  async #ended(container: Docker.Container): Promise<RuntimeExit> {
    // The Engine may be restarted meanwhile: containers go with it, or stay.
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
      // How it ended matters more than what it said.
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
