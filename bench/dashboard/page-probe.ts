/**
 * What the bench measures inside a page. The functions are passed to the page as text, so they use nothing
 * from outside themselves.
 */

declare global {
  var probe: {
    /** Milliseconds between two frames. */
    frames: number[];
    /** When a run was first shown in a state, in milliseconds of the wall clock: `ID STATUS`. */
    shown: Map<string, number>;
    /** When the number of new runs in the pill grew to a value. */
    fresh: Map<string, number>;
    /** When the first rows were drawn, in milliseconds since the navigation began. */
    rowsAt: number | null;
  };
}

/** Records every frame, and in which frame each state became visible. Starts with the document. */
export function startProbe(): void {
  const probe: typeof globalThis.probe = { frames: [], shown: new Map(), fresh: new Map(), rowsAt: null };
  globalThis.probe = probe;
  let last = 0;
  const frame = (now: number): void => {
    if (last > 0) probe.frames.push(now - last);
    if (probe.frames.length > 100_000) probe.frames.splice(0, 50_000);
    last = now;
    requestAnimationFrame(frame);
  };
  requestAnimationFrame(frame);

  /** Calls back after the next frame was drawn. */
  const afterFrame = (then: () => void): void => {
    requestAnimationFrame(() => {
      const { port1, port2 } = new MessageChannel();
      port1.onmessage = () => {
        port1.close();
        then();
      };
      port2.postMessage(null);
    });
  };
  let pending = false;
  const note = (): void => {
    pending = false;
    const states: string[] = [];
    for (const row of document.querySelectorAll<HTMLElement>("[data-run]")) {
      const status = row.querySelector<HTMLElement>("[data-status]")?.dataset.status;
      const state = `${row.dataset.run} ${status}`;
      if (!probe.shown.has(state)) states.push(state);
    }
    const pill = [...document.querySelectorAll("button")].find((button) => / new$/.test(button.textContent));
    const text = pill?.textContent.trim();
    if (probe.rowsAt === null && states.length > 10) afterFrame(() => (probe.rowsAt ??= performance.now()));
    if (states.length === 0 && (text === undefined || probe.fresh.has(text))) return;
    afterFrame(() => {
      const at = Date.now();
      for (const state of states) probe.shown.set(state, at);
      if (text !== undefined && !probe.fresh.has(text)) probe.fresh.set(text, at);
      // A long measurement must not itself make the memory grow.
      if (probe.shown.size > 2_000) probe.shown.clear();
      if (probe.fresh.size > 2_000) probe.fresh.clear();
    });
  };
  new MutationObserver(() => {
    if (pending) return;
    pending = true;
    queueMicrotask(note);
  }).observe(document, { subtree: true, childList: true, attributes: true, characterData: true });
}
