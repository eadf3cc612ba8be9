const ICON = document.querySelector<HTMLLinkElement>("#favicon");
const PLAIN = ICON?.href ?? "";

/** Shows the state of the open run in the tab's icon. `token` null: restores the plain icon. */
export function setFavicon(token: string | null): void {
  if (!ICON) return;
  if (token === null) {
    ICON.href = PLAIN;
    return;
  }
  const color = getComputedStyle(document.documentElement).getPropertyValue(`--${token}`).trim();
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><circle cx="16" cy="16" r="11" fill="${color}"/></svg>`;
  ICON.href = `data:image/svg+xml,${encodeURIComponent(svg)}`;
}
