import { toast } from "./toasts.svelte.ts";

/** Copies a text to the clipboard. Returns false and shows a toast if the browser refuses. */
export async function copyText(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    toast("The browser didn't allow copying. Select the text and copy it yourself.", { kind: "error" });
    return false;
  }
}
