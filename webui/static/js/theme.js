// Runs before the page is painted, so that it never flashes in the other colours.
(() => {
  const root = document.documentElement;
  if (root.dataset.bsTheme) return; // chosen by the person
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const follow = () => { root.dataset.bsTheme = dark.matches ? "dark" : "light"; };
  dark.addEventListener("change", follow);
  follow();
})();
