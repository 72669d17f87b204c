// The keys of the desk. Each presses a button that is on the screen, so what a key does can be seen.
import { goOn } from "./address.js";

const PLAIN = { F9: "register", F4: "consulted" };
const WITH_ALT = { Digit5: "redirected", Digit6: "wrong_number", Digit7: "nuisance", Digit8: "dropped" };

function press(selector, act = "click") {
  const button = document.querySelector(selector);
  if (button && !button.disabled) button[act]();
}

// The report that F6 adds to: that of the card with the focus, else what is repeated, else the first of their own open
// ones, else the first at the same address.
function attachButton() {
  const able = (place) => document.querySelector(`${place} [data-act="attach"]:not(:disabled)`);
  const card = document.activeElement?.closest(".open-report, .same-one")?.querySelector('[data-act="attach"]:not(:disabled)');
  return card ?? able("#repeat:not([hidden])") ?? able("#side-more") ?? able("#same-place");
}

// F6 stands on the button that it presses, and on no other one, whatever comes and goes.
function markAttach() {
  const button = attachButton();
  for (const key of document.querySelectorAll("[data-attach-key]")) {
    const hidden = key.closest("button") !== button;
    if (key.hidden !== hidden) key.hidden = hidden;
  }
}

export function bindKeys({ take, mayClose }) {
  const changes = { childList: true, subtree: true, attributeFilter: ["disabled", "hidden"] };
  new MutationObserver(markAttach).observe(document.getElementById("pane"), changes);
  for (const name of ["focusin", "focusout"]) document.addEventListener(name, () => queueMicrotask(markAttach));
  markAttach();
  document.addEventListener("keydown", (event) => {
    if (undoes(event)) event.preventDefault();
    if (event.ctrlKey || event.metaKey || event.isComposing || document.querySelector("dialog[open]")) return;
    const handled = event.altKey ? withAlt(event) : event.shiftKey ? false : plain(event, take, mayClose);
    if (handled) event.preventDefault();
  }, true); // before the frame closes an open menu: one Escape does one thing
  // Enter in a field goes on to the next one: it never presses a button by accident.
  document.addEventListener("keydown", (event) => {
    const field = event.target;
    if (event.key !== "Enter" || event.isComposing || !field.matches?.("#draft-form input, #draft-form select")) return;
    event.preventDefault();
    if (field.id === "attach_typed") return press('[data-act="attach_typed"]');
    goOn(field, document.querySelectorAll("#draft-form .draft-fields :is(input, select, textarea)"));
  });
}

function tickEmergency() {
  press("#emergency");
  document.getElementById("emergency")?.closest(".line-of").scrollIntoView({ block: "nearest", behavior: "instant" });
}

// In a field the browser undoes what was typed.
function undoes(event) {
  const undo = event.ctrlKey && !event.altKey && !event.shiftKey && event.code === "KeyZ" && !event.repeat;
  const button = undo && !event.target.closest?.("input, select, textarea") && document.querySelector("[data-undo]");
  button?.click?.();
  return Boolean(button);
}

function plain(event, take, mayClose) {
  if (event.key === "F2") take();
  else if (event.key === "F6") attachButton()?.click();
  else if (event.key === "F8") toggle("other-endings");
  else if (event.key === "F7") press('#draft[data-owned="false"] :is([data-act="claim"]:not([hidden]), [data-act="take_over"])');
  else if (event.key === "F3") tickEmergency();
  else if (event.key in PLAIN) press(`[data-act="${PLAIN[event.key]}"]`);
  else if (event.key === "Escape" && !document.querySelector("details[data-menu][open]")) {
    const field = document.activeElement?.closest("#pane :is(input, select, textarea)");
    if (document.activeElement?.closest("#street-offers")) press("#street", "focus");
    else if (field) field.blur(); // the next one puts the draft aside
    else if (mayClose()) press("[data-close]");
    return !field; // the browser closes its own list of streets
  }
  else return false;
  return true;
}

function withAlt(event) {
  if (event.code in WITH_ALT) press(`[data-act="${WITH_ALT[event.code]}"]`);
  else if (/^Digit[0-4]$/.test(event.code)) press(`[data-alt="${event.code.at(-1)}"]`);
  else if (event.code === "Digit9") toggle("new-draft");
  else if (event.key === "ArrowDown" && document.querySelector("#street-offers:not([hidden])")) press("#street-offers button:not([hidden])", "focus");
  else return false;
  return true;
}

function toggle(id) {
  const menu = document.getElementById(id);
  if (!menu || menu.inert) return;
  menu.open = !menu.open;
  (menu.open ? menu.querySelector("button:not([disabled])") : menu.querySelector("summary"))?.focus();
}
