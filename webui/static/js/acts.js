// What can be done with a report: who opens an act stands in its first field; Ctrl Enter
// records it, Esc closes it and leads back to its button.
for (const act of document.querySelectorAll("details.act")) {
  const button = act.querySelector("summary");
  let asked = false; // not so where the browser opens it, for what it finds in the page
  button.addEventListener("click", () => (asked = true));
  act.addEventListener("keydown", (event) => {
    if (act.open && event.key === "Enter" && (event.ctrlKey || event.metaKey) && !event.isComposing && !event.repeat) {
      return act.querySelector("form button").click();
    }
    if (event.key !== "Escape" || event.isComposing || !act.open) return;
    event.preventDefault();
    asked = true;
    act.open = false;
  });
  act.addEventListener("toggle", () => {
    if (!asked) return;
    asked = false;
    if (act.open) act.querySelector("textarea, select, input:not([type=hidden]), button")?.focus();
    else button.focus();
  });
}
