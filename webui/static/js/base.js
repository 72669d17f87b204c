// The frame: one open menu at a time, and `?` for the keys.
const keys = document.getElementById("keys");

function isTyping(target) {
  return target instanceof Element && target.closest("input:not([type=checkbox]):not([type=radio]), textarea, select, [contenteditable]") !== null;
}

document.addEventListener("keydown", (event) => {
  if (event.key === "?" && keys && !isTyping(event.target)) {
    event.preventDefault();
    if (!keys.open) keys.showModal();
  }
  if (event.key === "Escape") {
    for (const menu of document.querySelectorAll("details[data-menu][open]")) {
      menu.open = false;
      menu.querySelector("summary").focus();
    }
  }
});

document.addEventListener("click", (event) => {
  for (const menu of document.querySelectorAll("details[data-menu][open]")) {
    if (!menu.contains(event.target)) menu.open = false;
  }
  if (event.target.closest("[data-open-keys]")) {
    event.target.closest("details[data-menu]").open = false;
    keys.showModal();
  }
  if (event.target.closest("[data-print]")) print();
});

// A filter that is chosen with the pointer applies at once. The keyboard changes a select or a date step by step: there
// the button applies them all.
let keyboard = false;
document.addEventListener("keydown", () => (keyboard = true), true);
document.addEventListener("pointerdown", () => (keyboard = false), true);
document.addEventListener("change", (event) => {
  if (!keyboard && event.target.matches("[data-apply] :is(select, input[type=date])")) event.target.form.requestSubmit();
});
