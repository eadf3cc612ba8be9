import { toast } from "./toasts.svelte.ts";

/** Puts a text on the clipboard. False, with a toast that says so, where the browser refuses. */
export async function copyText(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    toast("The browser didn't allow copying. Select the text and copy it yourself.", { kind: "error" });
    return false;
  }
}
