// Calls by hand, one after another: how the call goes is asked every second; one key for what came of it.
import { tick } from "./clocks.js";
import { listen } from "./events.js";
import { html, htmlOf, post } from "./net.js";
import { parse, refresh, refreshSoon, swap } from "./parts.js";

const state = document.querySelector(".check-call [data-state]"); // the lines in the top bar have one, too
const panels = [...document.querySelectorAll(".answers [data-panel]:not(button)")];
const doubt = document.querySelector("[data-doubt]");
const nothingBack = document.querySelector("[data-nothing-back]"); // why key 8 takes nothing back
const at = document.querySelector("[data-now]")?.dataset.now;

async function renew() {
  try {
    state.innerHTML = await html(state.dataset.state);
  } catch {
    // asked again in a second
  }
  if (state.querySelector("[data-live]")) setTimeout(renew, 1000);
}

if (state?.querySelector("[data-live]")) setTimeout(renew, 500);

// What others do meanwhile: whether the machine calls, who is with this citizen.
async function renewOthers() {
  const fresh = parse(await html(at));
  for (const part of ["checks-bar", "other"]) {
    const old = document.getElementById(part);
    if (old) swap(old, fresh.getElementById(part));
  }
}

if (at) listen((kind) => kind !== "link" && refreshSoon("others", 300, renewOthers));

// Shown in place: nothing that was typed is lost.
document.querySelector("[data-shows-number]")?.addEventListener("submit", (event) => {
  event.preventDefault();
  const form = event.target;
  refresh("whom", async () => {
    const fresh = parse(await htmlOf(await post(form.action, new FormData(form))));
    document.getElementById("whom").replaceWith(fresh.getElementById("whom"));
    tick();
  });
});

const fieldOf = (panel) => panel.querySelector("textarea, [type=time]");
const openPanel = () => panels.find((panel) => !panel.hidden);

// A doubtful answer is asked about once: the same answer given again is meant so.
const asking = () => Boolean(doubt && !doubt.hidden);

doubt?.closest("form").addEventListener("submit", ({ submitter }) => {
  if (asking() && submitter?.value === doubt.dataset.doubt) submitter.name = "anyway";
});

function dropDoubt() {
  doubt.hidden = true;
  const panel = openPanel();
  (panel ? fieldOf(panel) : document.querySelector('.answer-keys [aria-pressed="true"]'))?.focus();
}

doubt?.querySelector("[data-doubt-no]").addEventListener("click", dropDoubt);

for (const button of document.querySelectorAll("[data-asks]")) {
  button.addEventListener("click", () => {
    const said = button.dataset.asks;
    for (const other of document.querySelectorAll(".answer-keys [aria-pressed]")) {
      other.setAttribute("aria-pressed", String(other === button));
    }
    for (const panel of panels) {
      panel.hidden = panel.dataset.panel !== button.dataset.panel;
      if (panel.hidden) continue;
      panel.querySelector("[data-record]").value = said;
      if (button.dataset.label) panel.querySelector('[for="words"]').textContent = button.dataset.label;
      for (const part of panel.querySelectorAll("[data-for]")) part.hidden = part.dataset.for !== said;
      fieldOf(panel).focus();
    }
  });
}

// Back to the keys; what was typed stays.
function leave(panel) {
  panel.hidden = true;
  const button = document.querySelector('.answer-keys [aria-pressed="true"]');
  button?.setAttribute("aria-pressed", "false");
  button?.focus();
}

for (const panel of panels) {
  // Enter in a field would press the form's first button.
  panel.addEventListener("keydown", (event) => {
    const alone = event.target.matches("input");
    if (event.key !== "Enter" || event.isComposing || event.repeat || !(alone || event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    panel.querySelector("[data-record]").click();
  });
}

if (openPanel() && !asking()) fieldOf(openPanel()).focus(); // what was refused is mended at once

document.addEventListener("keydown", (event) => {
  if (event.repeat) { // a key that is still held answers no question of the next page
    if (event.key === "Enter" && !event.target.matches("textarea")) event.preventDefault();
    return;
  }
  if (asking() && event.key === "Enter" && event.ctrlKey) return document.querySelector('[name="anyway"]').click();
  if (event.ctrlKey || event.altKey || event.metaKey || event.isComposing || document.querySelector("dialog[open]")) return;
  if (event.key === "Escape" && asking()) return dropDoubt();
  const open = openPanel();
  if (event.key === "Escape" && open) return leave(open);
  if (open && /^[1-9]$/.test(event.key)) return fieldOf(open).focus(); // words and times have digits, too: none is an answer
  if (event.target.closest("input, textarea, select, button, a, summary") && event.key === "Enter") return;
  if (event.target.closest("input, textarea, select, .answer-words")) return;
  const button = document.querySelector(`[data-key="${CSS.escape(event.key)}"]`);
  if (!button && event.key === "8") nothingBack?.removeAttribute("hidden");
  if (!button || button.disabled) return;
  event.preventDefault();
  button.click();
});
