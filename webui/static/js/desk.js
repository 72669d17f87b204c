// The desk, put together: its links and keys, and who follows which news.
import "./address.js";
import { acting } from "./buttons.js";
import { listen } from "./events.js";
import { bindKeys } from "./keys.js";
import { refreshLists, showUnsent } from "./lists.js";
import { left, match, next, refreshEmergencies, refreshLive, refreshOverview, spoken } from "./live.js";
import { callNews, openWaiting } from "./news.js";
import * as pane from "./pane.js";
import "./same_address.js";
import { sendUnsent } from "./unsent.js";

const place = document.getElementById("pane");

document.addEventListener("click", (event) => {
  if (event.ctrlKey || event.metaKey || event.shiftKey) return;
  const draft = event.target.closest("[data-draft-link]");
  const close = event.target.closest("[data-close]");
  const talk = event.target.closest("[data-open-spoken]");
  if (!draft && !close && !talk) return;
  event.preventDefault();
  if (talk) spoken()?.querySelector(".bar-take").click();
  else if (draft) pane.openDraft(Number(draft.dataset.draftLink), { focus: true });
  else pane.closePane();
});

// A browser takes what lies under the buttons for seen. Under a finger or the mouse nothing moves.
place.addEventListener("focusin", ({ target }) => {
  if (!target.matches(".draft-fields *") || target.matches(":active")) return;
  target.scrollIntoView({ block: "nearest", behavior: "instant" });
});

// A page that opens with my draft, as after a call back, has the cursor where the form goes on.
function goOn() {
  const fields = ["category_id", "street", "text"].map((id) => document.getElementById(id)).filter(Boolean);
  (fields.find((field) => !field.value) ?? fields.at(-1))?.focus();
}

addEventListener("popstate", () => {
  const id = Number(location.pathname.match(/^\/drafts\/(\d+)$/)?.[1] ?? 0);
  if (id === pane.openId()) return; // a link to a field, or to a part of the page
  if (id) pane.openDraft(id, { push: false });
  else pane.closePane();
});

// F2 presses the bar's button, or opens what is left of a talk that is over; where there is none, or that draft is open
// and mine already, the form gets the focus.
function take() {
  const bar = next();
  const open = pane.openId() === Number(bar?.dataset.draft ?? 0);
  if (bar && !(open && pane.section().dataset.owned === "true")) bar.querySelector(".bar-take").click();
  else if (left()) left().click();
  else (place.querySelector("#category_id, [data-close]") ?? document.querySelector("#lists a"))?.focus();
}

bindKeys({
  take,
  mayClose: () => Boolean(pane.section()) && !document.activeElement?.closest("#pane :is(input, select, textarea)"),
});

pane.whenPaneChanges((news, fields) => {
  if (news === "saved") {
    if ("other_phone" in fields) pane.refreshSide(); // whose it may be
    return refreshLists(500);
  }
  match();
  showUnsent();
  refreshLists();
  refreshOverview();
});

listen((kind, ...news) => {
  if (kind !== "link" && kind !== "board") refreshOverview();
  if (kind === "report" || kind === "state") refreshEmergencies();
  if (kind === "call") callNews(...news).catch(() => {}); // no answer: the next state brings it
  if (kind === "board" && document.querySelector("#live [data-own]")) refreshLive();
  if (kind === "counts") refreshLists();
  if (kind === "report" && place.querySelector(`[data-report="${news[0].report}"]`)) pane.refreshSide();
  if (kind === "report" && news[0].report === pane.openId() && !acting) pane.refreshDraft(); // a draft without a call
  if (kind === "state" || (kind === "link" && news[0] === "open")) {
    pane.form?.flush();
    sendUnsent(pane.openId()).then(showUnsent);
  }
  if (kind === "state") { // not told by events: the connection was broken for too long, or some were lost
    refreshLists();
    if (!acting) pane.refreshDraft();
    pane.refreshSide();
  }
});

pane.mount(Date.now()); // who loads the page anew goes on with what they wrote
match();
showUnsent();
if (pane.section()?.dataset.owned === "true" && document.activeElement === document.body) goOn();
setInterval(openWaiting, 1000);
