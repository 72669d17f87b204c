// The keys of the desk. Each presses a button that is on the screen, so what a key does can be seen.
const PLAIN = { F9: "register", F4: "consulted" };
const WITH_ALT = { Digit5: "redirected", Digit6: "wrong_number", Digit7: "nuisance", Digit8: "dropped" };

function press(selector) {
  const button = document.querySelector(selector);
  if (button && !button.disabled) button.click();
}

export function bindKeys({ take, mayClose }) {
  document.addEventListener("keydown", (event) => {
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
    if (field.id === "street") takeOnlyStreet(field);
    const fields = [...document.querySelectorAll("#draft-form .draft-fields :is(input, select, textarea)")];
    fields[fields.indexOf(field) + 1]?.focus();
  });
}

// Where one street alone fits the beginning that was typed, of any of its words or of a name that it had, it is meant.
function takeOnlyStreet(field) {
  const typed = ` ${field.value.trim().toLowerCase()}`;
  const begins = (name) => ` ${name.toLowerCase()}`.includes(typed);
  const fitting = [...field.list.options].filter(({ value, dataset }) => begins(dataset.called ?? value));
  const names = new Set(fitting.map((option) => option.value));
  if (typed === " " || names.size !== 1 || names.has(field.value)) return;
  [field.value] = names;
  for (const happens of ["input", "change"]) field.dispatchEvent(new Event(happens, { bubbles: true }));
}

function plain(event, take, mayClose) {
  if (event.key === "F2") take();
  else if (event.key === "F6") {
    const card = document.activeElement?.closest(".open-report");
    (card ?? document).querySelector('[data-act="attach"]:not(:disabled)')?.click();
  } else if (event.key === "F8") toggle("other-endings");
  else if (event.key === "F7") press('#draft[data-owned="false"] [data-act="claim"]:not([hidden])');
  else if (event.key === "F3") press("#emergency");
  else if (event.key in PLAIN) press(`[data-act="${PLAIN[event.key]}"]`);
  else if (event.key === "Escape" && !document.querySelector("details[data-menu][open]")) {
    const field = document.activeElement?.closest("#pane :is(input, select, textarea)");
    if (field) field.blur(); // the next one puts the draft aside
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
  else return false;
  return true;
}

function toggle(id) {
  const menu = document.getElementById(id);
  if (!menu || menu.inert) return;
  menu.open = !menu.open;
  (menu.open ? menu.querySelector("button:not([disabled])") : menu.querySelector("summary"))?.focus();
}
