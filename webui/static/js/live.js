// The bars of my live calls, with their clocks and the key F2; the overview of all lines; emergencies on top.
import { tick } from "./clocks.js";
import { html } from "./net.js";
import { openId } from "./pane.js";
import { parse, refresh, refreshSoon, still, swap } from "./parts.js";

const SHOWN_ACCEPTED = 60_000;
const live = document.getElementById("live");

const isOpen = (bar) => Number(bar.dataset.draft) === openId();

const bars = (which = "") => [...live.querySelectorAll(`.bar${which}:not([data-draft=""])`)];

// The bars of the calls that I speak on, the one that I answered last first.
function talking() {
  const since = (bar) => Number(bar.querySelector(".bar-clock").dataset.since);
  return bars('[data-talking="true"]').reverse().sort((one, other) => since(other) - since(one));
}

// The bar of the call that I answered last, if it has a draft.
export const spoken = () => talking()[0] ?? null;

// The bar that F2 takes, of those on my phone the first that rings and whose draft is not the open one, else that of the
// call that I speak on, unless it is open, else the first.
export function next() {
  const here = [...bars('[data-ringing="true"]'), ...talking()];
  return here.find((bar) => !isOpen(bar)) ?? here[0] ?? bars()[0];
}

// What F2 takes of my drafts when there is no bar: a talk is over and nothing is written of it yet, for another draft had
// the screen. The newest first.
export function left(lists = document.getElementById("lists")) {
  return next() ? null : [...lists.querySelectorAll("[data-nothing-typed]")].find((row) => Number(row.dataset.draftLink) !== openId());
}

export function showLeft(lists) {
  for (const key of lists.querySelectorAll("[data-take]")) key.hidden = key.closest("[data-draft-link]") !== left(lists);
}

// The bars and the open draft belong together: F2 stands on what it takes, a draft has one button to take it, and what is
// open of another call than I speak on says so.
export function match() {
  for (const key of live.querySelectorAll("[data-take]")) key.hidden = key.closest(".bar") !== next();
  showLeft(document.getElementById("lists"));
  for (const bar of live.querySelectorAll(".bar")) {
    const open = isOpen(bar);
    for (const word of bar.querySelectorAll("[data-when-open]")) word.hidden = !open;
    for (const word of bar.querySelectorAll("[data-when-other]")) word.hidden = open;
  }
  const other = document.getElementById("other-call");
  const talk = spoken();
  if (other) {
    still(() => (other.hidden = !talk || isOpen(talk)));
    other.querySelector("kbd").hidden = next() !== talk;
  }
  const claim = document.querySelector('#pane [data-act="claim"]');
  if (claim) claim.hidden = Boolean(live.querySelector(`.bar[data-draft="${openId()}"]`));
}

export function refreshLive() {
  return refresh("live", async () => {
    const fresh = parse(await html("/desk/live"));
    const known = new Map([...live.querySelectorAll(".bar")].map((bar) => [bar.dataset.call, bar]));
    for (const bar of [...fresh.querySelectorAll(".bar")]) {
      const old = known.get(bar.dataset.call);
      known.delete(bar.dataset.call);
      if (old) {
        keepLooks(old, bar);
        swap(old, bar);
      } else live.append(bar);
    }
    for (const gone of known.values()) gone.remove();
    live.querySelector(".live-quiet")?.remove();
    const quiet = fresh.querySelector(".live-quiet");
    if (quiet) live.replaceChildren(quiet);
    match();
    tick();
  });
}

// What this page has put into a bar by itself.
function keepLooks(old, bar) {
  const [before, now] = [old, bar].map((one) => one.querySelector("[data-take]"));
  if (before && now) now.hidden = before.hidden;
  if (old.querySelector(".bar-clock").dataset.since === bar.querySelector(".bar-clock").dataset.since) {
    bar.querySelector(".bar-clock").textContent = old.querySelector(".bar-clock").textContent;
  }
}

// The lines now and today's counts, where they stand on the desk.
export function refreshOverview() {
  if (!document.getElementById("overview")) return;
  refreshSoon("overview", 500, async () => {
    const fresh = parse(await html("/desk/overview")).firstElementChild;
    const old = document.getElementById("overview"); // a draft may be open by now
    if (old) old.replaceWith(fresh);
    tick();
  });
}

// Where it is just asked who accepted an emergency, what was typed and the focus stay.
function keepAsked(old, fresh) {
  for (const asked of old.querySelectorAll("details[open] > form")) {
    const form = fresh.querySelector(`form[action="${asked.getAttribute("action")}"]`);
    if (!form) continue;
    form.parentElement.open = true;
    form.elements.who.value = asked.elements.who.value;
    form.elements.who.toggleAttribute("data-had-focus", asked.elements.who === document.activeElement);
  }
}

// The emergencies that nobody has accepted. Of one that stood here it is told, for a while, that it was accepted.
export function refreshEmergencies(after = 300) {
  const place = document.getElementById("emergencies");
  refreshSoon("emergencies", after, async () => {
    const fresh = parse(await html("/desk/emergencies"));
    for (const told of fresh.querySelectorAll("[data-accepted]")) {
      const { accepted } = told.dataset;
      if (!place.querySelector(`[data-part^="${accepted} "], [data-accepted="${accepted}"]`)) told.remove();
    }
    if (fresh.querySelector("[data-accepted]")) setTimeout(refreshEmergencies, SHOWN_ACCEPTED, 0);
    const parts = (box) => [...box.querySelectorAll("[data-part]")].map((row) => row.dataset.part).join();
    if (parts(fresh) === parts(place)) return;
    keepAsked(place, fresh);
    still(() => place.replaceChildren(fresh));
    place.querySelector("[data-had-focus]")?.focus();
    tick();
  });
}
