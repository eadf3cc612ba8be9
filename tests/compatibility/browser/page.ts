/** One page for all browser clients: the test mounts one of them at a time. */
import { createElement } from "react";
import { createRoot } from "react-dom/client";
import { mount, unmount } from "svelte";
import { Options } from "./options.ts";
import { Ours } from "./ours.ts";
import { PublishedRuns, PublishedStreams } from "./published.ts";
import Runs from "./Runs.svelte";
import type { PageSettings } from "./settings.ts";

const COMPONENTS = { Ours, Options, PublishedRuns, PublishedStreams };
export type PageComponent = keyof typeof COMPONENTS | "Svelte";

let end = () => {};

function show(name: PageComponent | "nothing", settings: PageSettings): void {
  end();
  end = () => {};
  if (name === "nothing") return;
  const target = document.body.appendChild(document.createElement("main"));
  if (name === "Svelte") {
    const component = mount(Runs, { target, props: settings });
    end = () => void unmount(component).then(() => target.remove());
  } else {
    const root = createRoot(target);
    root.render(createElement(COMPONENTS[name], settings));
    end = () => {
      root.unmount();
      target.remove();
    };
  }
}

Object.assign(globalThis, { show });
