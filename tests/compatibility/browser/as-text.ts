import { createElement, Fragment, type ReactElement } from "react";

/** A state as JSON, and a button for each action. */
export const asText = (state: object, actions: Record<string, () => void>): ReactElement =>
  createElement(
    Fragment,
    null,
    createElement("pre", null, JSON.stringify(state)),
    ...Object.entries(actions).map(([name, onClick]) =>
      createElement("button", { key: name, onClick, name, type: "button" }),
    ),
  );
