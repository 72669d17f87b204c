// Parts of the page that are fetched again when something happened.
import { Away, LoggedOut, Refused } from "./net.js";

const fetching = new Map(); // part → how it is fetched once more, if somebody asked meanwhile

// At most one request for a part at a time, and one more if something happened meanwhile.
export async function refresh(name, load) {
  if (fetching.has(name)) {
    fetching.set(name, load);
    return;
  }
  fetching.set(name, null);
  try {
    await load();
  } catch (error) {
    if (![Away, LoggedOut, Refused].some((kind) => error instanceof kind)) throw error; // the old part stays
  } finally {
    const again = fetching.get(name);
    fetching.delete(name);
    if (again) refresh(name, again);
  }
}

export const plainOf = (content) => content.replace(/name="csrf_token" value="[^"]*"/g, "");

// Replaces an element only if it changed, and gives the focus back to the same button.
export function swap(old, fresh) {
  if (plainOf(old.outerHTML.replace(/ open=""/g, "")) === plainOf(fresh.outerHTML)) return;
  const focusable = "a, button, summary, input";
  const at = [...old.querySelectorAll(focusable)].indexOf(document.activeElement);
  old.replaceWith(fresh);
  if (at >= 0) fresh.querySelectorAll(focusable)[at]?.focus();
}

export function parse(content) {
  const box = document.createElement("template");
  box.innerHTML = content;
  return box.content;
}

const due = new Map(); // part → when it is fetched again, and the timer

// The same after a while. News that come meanwhile do not put it off.
export function refreshSoon(name, after, load) {
  const at = Date.now() + after;
  if (at >= (due.get(name)?.at ?? Infinity)) return;
  clearTimeout(due.get(name)?.timer);
  const timer = setTimeout(() => {
    due.delete(name);
    refresh(name, load);
  }, after);
  due.set(name, { at, timer });
}

// Something above changes: where somebody types, the form stays under their eyes.
export function still(change) {
  const field = document.activeElement?.closest("#pane :is(input, select, textarea)");
  const before = field?.getBoundingClientRect().top;
  change();
  const moved = field ? field.getBoundingClientRect().top - before : 0;
  if (moved) scrollBy({ top: moved, behavior: "instant" }); // also of nothing, it would stop a scroll that is under way
}
