// The dispatcher's round: how the call goes is asked every second; one key for the answer.
import { html } from "./net.js";

const state = document.querySelector("[data-state]");
const words = document.querySelector("[data-words]");
const later = document.querySelector("[data-later]");

async function renew() {
  try {
    state.innerHTML = await html(state.dataset.state);
  } catch {
    // asked again in a second
  }
  if (!state.querySelector("[data-live]")) return done();
  setTimeout(renew, 1000);
}

// The call is over: the next thing is the answer, or another call.
function done() {
  document.querySelector('.answers [data-key="1"]')?.focus();
}

if (state?.querySelector("[data-live]")) setTimeout(renew, 500);

for (const button of document.querySelectorAll("[data-asks]")) {
  button.addEventListener("click", () => {
    const said = button.dataset.asks;
    words.hidden = said === "later";
    later.hidden = said !== "later";
    words.querySelector("[data-record]").value = said;
    (said === "later" ? later.querySelector("input") : words.querySelector("textarea")).focus();
  });
}

words?.querySelector("textarea").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) words.querySelector("[data-record]").click();
});

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey || event.isComposing || document.querySelector("dialog[open]")) return;
  if (event.target.closest("input, textarea, select, button, a, summary") && event.key === "Enter") return;
  if (event.target.closest("input, textarea, select")) return;
  const button = document.querySelector(`[data-key="${CSS.escape(event.key)}"]`);
  if (!button || button.disabled) return;
  event.preventDefault();
  button.click();
});
