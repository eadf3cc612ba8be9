// Runs before the first paint, so that the page never flashes in the other theme.
(() => {
  let theme = "system";
  try {
    theme = JSON.parse(localStorage.getItem("acme:preferences") ?? "{}").theme ?? "system";
  } catch {
    // Without storage the system's theme applies.
  }
  const dark = theme === "dark" || (theme !== "light" && matchMedia("(prefers-color-scheme: dark)").matches);
  document.documentElement.dataset.theme = dark ? "dark" : "light";
})();
