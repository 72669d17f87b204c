// The lists beside: missed calls, my drafts, what nobody works on, and the texts that the server did not take; on top of
// the desk, whether a shift waits.
import { html } from "./net.js";
import { showLeft } from "./live.js";
import { form, notice, openId, words } from "./pane.js";
import { plainOf, refreshSoon, still, swap } from "./parts.js";
import { discard, refusedTexts, unsent } from "./unsent.js";

const lists = document.getElementById("lists");

export function refreshLists(after = 250) {
  refreshSoon("lists", after, async () => {
    const fresh = document.createElement("aside");
    fresh.innerHTML = await html("/desk/lists");
    const shift = fresh.querySelector("#shift-waits");
    shift.remove();
    still(() => swap(document.getElementById("shift-waits"), shift));
    showLeft(fresh);
    const known = handed(lists);
    if (plainOf(fresh.innerHTML) !== plainOf(lists.innerHTML)) lists.innerHTML = fresh.innerHTML;
    for (const [change, note] of handed(lists)) if (!known.has(change)) notice(note, "");
    showUnsent();
  });
}

// What colleagues handed over to me, and how that is told.
function handed(rows) {
  return new Map([...rows.querySelectorAll("[data-handed]")].map(({ dataset }) => [dataset.handed, dataset.note]));
}

export function showUnsent() {
  for (const link of lists.querySelectorAll("[data-draft-link]")) {
    const waits = Boolean(unsent(Number(link.dataset.draftLink))) && Number(link.dataset.draftLink) !== openId();
    let mark = link.querySelector(".unsent");
    if (waits && !mark) {
      mark = document.createElement("span");
      mark.className = "unsent tone-late";
      mark.textContent = `▲ ${words.unsent}`;
      link.append(mark);
    } else if (!waits) mark?.remove();
  }
  showRefused();
}

// Texts that the server will not take any more (a colleague's draft, a finished one): to read, and to discard.
function showRefused() {
  document.getElementById("refused")?.remove();
  const texts = refusedTexts().filter(({ id }) => id !== form?.id);
  if (!texts.length) return;
  const fresh = document.getElementById("refused-texts").content.cloneNode(true);
  const list = fresh.querySelector("ul");
  const row = list.firstElementChild;
  list.replaceChildren();
  const day = new Intl.DateTimeFormat(document.documentElement.lang, { day: "numeric", month: "long", hour: "2-digit", minute: "2-digit" });
  for (const { id, text, at } of texts) {
    const item = row.cloneNode(true);
    item.querySelector("[data-text]").textContent = text;
    item.querySelector("[data-at]").textContent = day.format(at);
    item.querySelector("[data-discard]").dataset.discard = id;
    list.append(item);
  }
  lists.append(fresh);
}

lists.addEventListener("click", (event) => {
  const refused = event.target.closest("[data-discard]");
  if (!refused) return;
  discard(Number(refused.dataset.discard));
  showUnsent();
});
