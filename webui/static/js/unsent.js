// What was typed and the server does not have: it waits in this browser, under the user's and the draft's number.
import { post } from "./net.js";

export const GONE = ["taken", "not_a_draft"]; // refusals that no second try changes
const KEEP = 14 * 24 * 3600 * 1000; // so long a text waits
const words = JSON.parse(document.getElementById("desk")?.dataset.words ?? "{}");
const user = document.body.dataset.user;

function storageKey(draft, owner = user) {
  return `cc-draft:${owner}:${draft}`;
}

export function unsent(draft, owner = user) {
  try {
    return JSON.parse(localStorage.getItem(storageKey(draft, owner)));
  } catch {
    return null;
  }
}

export function keepUnsent(draft, kept) {
  localStorage.setItem(storageKey(draft), JSON.stringify(kept));
}

function unsentIds() {
  const prefix = storageKey("");
  const keys = Object.keys(localStorage).filter((one) => one.startsWith(prefix));
  return keys.map((key) => Number(key.slice(prefix.length))).filter((id) => unsent(id));
}

// Drafts of this user that were typed into in this browser and never reached the server, except the open one.
export async function sendUnsent(open) {
  for (const id of unsentIds()) {
    const kept = unsent(id);
    if (!kept || kept.refused || id === open) continue;
    const sent = localStorage.getItem(storageKey(id));
    try {
      const answer = await post(`/drafts/${id}/save`, { revision: kept.revision, fields: kept.fields });
      const { errors, error } = await answer.json();
      if (localStorage.getItem(storageKey(id)) !== sent) continue; // another tab has typed on: it saves by itself
      if (answer.ok && !Object.keys(errors).length) discard(id);
      else if (answer.status === 404 || GONE.includes(error)) keepUnsent(id, { ...kept, refused: true });
    } catch {
      return; // the next connection tries again
    }
  }
  expire(); // only what the server could have taken by now
}

// What the server refused for good: it stays here to be read and copied until somebody discards it.
export function refusedTexts() {
  const texts = (fields) => Object.entries(fields).filter(([name, value]) => value && !/_id$|^emergency$/.test(name));
  return unsentIds()
    .map((id) => ({ id, ...unsent(id) }))
    .filter(({ refused }) => refused)
    .map(({ id, at, fields }) => ({ id, at, text: texts(fields).map(([, value]) => value).join(" · ") || words.empty }));
}

export function discard(id) {
  localStorage.removeItem(storageKey(id));
}

// Also what other users of this browser left: names and places do not lie here for ever.
function expire() {
  for (const key of Object.keys(localStorage).filter((one) => one.startsWith("cc-draft:"))) {
    const [, owner, id] = key.split(":");
    const kept = unsent(Number(id), owner);
    if (kept?.at < Date.now() - KEEP) localStorage.removeItem(key);
  }
}
