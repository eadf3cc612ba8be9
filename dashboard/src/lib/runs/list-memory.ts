/**
 * The list that a run was opened from, so that `[` and `]` work on the run page and going back restores the view. It
 * lives as long as the tab's page does.
 */
export interface ListMemory {
  environment: string;
  query: string;
  ids: readonly string[];
  scrollTop: number;
  cursor: string | null;
}

let memory: ListMemory | null = null;

export const rememberList = (list: ListMemory): void => {
  memory = list;
};

export const rememberedList = (environment: string): ListMemory | null =>
  memory?.environment === environment ? memory : null;

/** The run beside another in the list it was opened from. */
export function neighbour(environment: string, id: string, step: 1 | -1): string | null {
  const list = rememberedList(environment);
  const index = list?.ids.indexOf(id) ?? -1;
  return index === -1 ? null : (list?.ids[index + step] ?? null);
}
