import { defaultKeymap, history, historyKeymap } from "@codemirror/commands";
import { json } from "@codemirror/lang-json";
import { bracketMatching, HighlightStyle, indentOnInput, syntaxHighlighting } from "@codemirror/language";
import { type Diagnostic, linter, lintGutter } from "@codemirror/lint";
import { EditorState } from "@codemirror/state";
import { drawSelection, EditorView, keymap, lineNumbers } from "@codemirror/view";
import { tags } from "@lezer/highlight";
import { problemsOf } from "./json-problems.ts";

export interface JsonEditorHandle {
  setText(text: string): void;
  setSchema(schema: unknown): void;
  close(): void;
}

const colors = HighlightStyle.define([
  { tag: tags.propertyName, color: "var(--text)" },
  { tag: tags.string, color: "var(--completed)" },
  { tag: tags.number, color: "var(--executing)" },
  { tag: [tags.bool, tags.null], color: "var(--waiting)" },
]);

const look = EditorView.theme({
  "&": { fontSize: "12px", backgroundColor: "transparent", height: "100%", color: "var(--text)" },
  "&.cm-focused": { outline: "none" },
  ".cm-scroller": { fontFamily: "var(--font-mono)", lineHeight: "20px", minHeight: "inherit" },
  ".cm-content": { caretColor: "var(--text)", padding: "8px 0" },
  ".cm-gutters": { backgroundColor: "transparent", color: "var(--text-3)", border: "none" },
  ".cm-cursor": { borderLeftColor: "var(--text)" },
  "&.cm-focused .cm-selectionBackground, .cm-selectionBackground": {
    backgroundColor: "color-mix(in oklab, var(--accent-fill) 28%, transparent) !important",
  },
  ".cm-tooltip": {
    backgroundColor: "var(--raised)",
    color: "var(--text)",
    border: "1px solid var(--line)",
    borderRadius: "4px",
  },
});

/**
 * Mounts the editor in a shadow root: there CodeMirror uses adopted style sheets, which the page's policy allows, instead
 * of a style element, which it doesn't.
 */
export function openJsonEditor(
  host: HTMLElement,
  options: {
    text: string;
    label: string;
    schema?: unknown;
    /** The selection of the plain field that it replaces while a person types there. */
    focus?: { anchor: number; head: number };
    onchange(text: string): void;
  },
): JsonEditorHandle {
  const root = host.shadowRoot ?? host.attachShadow({ mode: "open" });
  let schema = options.schema;
  const view = new EditorView({
    root,
    parent: root,
    state: EditorState.create({
      doc: options.text,
      extensions: [
        lineNumbers(),
        history(),
        drawSelection(),
        indentOnInput(),
        bracketMatching(),
        json(),
        syntaxHighlighting(colors),
        linter((editor): Diagnostic[] => problemsOf(editor.state.doc.toString(), schema)),
        lintGutter(),
        // The form's ⌘⏎ must reach the form.
        keymap.of([...defaultKeymap.filter(({ key }) => key !== "Mod-Enter"), ...historyKeymap]),
        EditorView.lineWrapping,
        EditorView.contentAttributes.of({ "aria-label": options.label }),
        EditorView.updateListener.of((update) => {
          if (update.docChanged) options.onchange(update.state.doc.toString());
        }),
        look,
      ],
    }),
  });
  if (options.focus) {
    view.dispatch({ selection: options.focus });
    view.focus();
  }
  return {
    setText(text) {
      if (text === view.state.doc.toString()) return;
      view.dispatch({ changes: { from: 0, to: view.state.doc.length, insert: text } });
    },
    setSchema(next) {
      schema = next;
    },
    close: () => view.destroy(),
  };
}
