// The address that the caller has named before, by a key or a click. The key writes over nothing that stands there; a click
// may, and says what stood there. What came with it goes again when the street becomes another one, unless it was typed.
import { write } from "./address.js";
import * as pane from "./pane.js";

let filled = null; // the draft, and what came into its fields with the address

document.addEventListener("click", ({ target, isTrusted }) => {
  const button = target.closest("[data-same-address]");
  if (!button) return;
  const given = JSON.parse(button.dataset.fields);
  const { elements } = pane.form.form;
  const stood = ["street", "building", "flat"].map((name) => elements[name].value.trim());
  const lost = Object.entries(given).some(([name, value]) => elements[name].value.trim() && elements[name].value.trim() !== value);
  if (lost && !isTrusted) return pane.notice(pane.words.address_stands); // a key presses it by a script
  filled = { draft: pane.openId(), ...given };
  write(given);
  if (lost) pane.notice(`${pane.words.address_stood} ${stood.filter(Boolean).join(", ")}`, "");
});

document.addEventListener("input", ({ target, isTrusted }) => {
  if (isTrusted && filled && ["building", "flat"].includes(target.id)) delete filled[target.id];
});

document.addEventListener("change", ({ target }) => {
  if (target.id !== "street" || !filled || filled.draft !== pane.openId()) return;
  if (!target.value.trim() || target.value === filled.street) return;
  const { elements } = target.form;
  const came = ["building", "flat"].filter((name) => filled[name] && elements[name].value === filled[name]);
  filled = null;
  if (came.length) write(Object.fromEntries(came.map((name) => [name, ""])));
});
