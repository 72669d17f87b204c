// The frame: one open menu at a time and the arrows in it, `?` for the keys, and the keys of lists.
import "./clocks.js";
import "./once.js";

const keys = document.getElementById("keys");

function isTyping(target) {
  return target instanceof Element && target.closest("input:not([type=checkbox]):not([type=radio]), textarea, select, [contenteditable]") !== null;
}

// The key with the slash on it: in the Ukrainian layout it writes a point.
function isSlash({ key, code }) {
  return key === "/" || (key === "." && code === "Slash");
}

function press(event, element, act) {
  if (!element || keys?.open) return;
  event.preventDefault();
  element[act]();
}

// The arrows go through a menu, from its own button on and round its end.
function walk(event) {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  const menu = event.target.closest("details[data-menu]");
  if (!step || !menu || event.altKey || event.ctrlKey || event.metaKey || event.target.matches("select, textarea")) return;
  event.preventDefault();
  menu.open = true;
  const rows = [...menu.querySelectorAll(":is(summary, a[href], button, input):not(:disabled)")].filter((row) => row.checkVisibility());
  const at = rows.indexOf(document.activeElement);
  rows.at(at < 0 && step < 0 ? -1 : (at + step) % rows.length)?.focus();
}

// The help of keys, from its beginning.
function showKeys() {
  keys.showModal();
  keys.querySelector("h2").focus();
}

document.addEventListener("keydown", (event) => {
  if (event.target instanceof Element) walk(event);
  // in a list of choices nobody writes a question mark
  if (event.key === "?" && keys && (!isTyping(event.target) || event.target.matches("select"))) {
    event.preventDefault();
    if (!keys.open) showKeys();
  }
  if (isSlash(event) && !isTyping(event.target)) press(event, document.querySelector("input[type=search]"), "focus");
  if (event.altKey && event.key === "PageUp") press(event, document.querySelector("a[rel=prev]"), "click");
  if (event.altKey && event.key === "PageDown") press(event, document.querySelector("a[rel=next]"), "click");
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
    showKeys();
  }
  if (event.target.closest("[data-print]")) print();
});

// What asks once for a word has the cursor in its field.
document.addEventListener("click", ({ target }) => {
  const asks = target.closest(".asks-once > summary")?.parentElement;
  const enter = () => asks.open && asks.querySelector("input:not([type=hidden])")?.focus();
  asks?.addEventListener("toggle", enter, { once: true });
});

// A filter that is chosen with the pointer applies at once. The keyboard changes a select or a date step by step: there
// the button applies them all.
let keyboard = false;
document.addEventListener("keydown", () => (keyboard = true), true);
document.addEventListener("pointerdown", () => (keyboard = false), true);
document.addEventListener("change", (event) => {
  if (!keyboard && event.target.matches("[data-apply] :is(select, input[type=date])")) event.target.form.requestSubmit();
});
