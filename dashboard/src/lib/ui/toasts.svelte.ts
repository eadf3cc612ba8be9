export interface Toast {
  id: number;
  kind: "info" | "error";
  text: string;
  action?: { label: string; run(): void };
  href?: string;
}

const SHOWN_MS = 6_000;

export const toasts: Toast[] = $state([]);
let last = 0;

export function dismiss(id: number): void {
  const index = toasts.findIndex((toast) => toast.id === id);
  if (index >= 0) toasts.splice(index, 1);
}

/** Shows a message for six seconds; an error stays until it is closed. */
export function toast(text: string, options: Partial<Omit<Toast, "id" | "text">> = {}): void {
  last += 1;
  const id = last;
  toasts.push({ id, kind: "info", text, ...options });
  if (toasts.length > 4) toasts.shift();
  if (options.kind !== "error") setTimeout(() => dismiss(id), SHOWN_MS);
}
