// The open draft: opening, closing, what it says, and its own parts. `whenPaneChanges` tells who shows more about it.
import { DraftForm } from "./draft.js";
import { calls } from "./events.js";
import { Away, LoggedOut, OtherUser, Refused, html, htmlOf, post } from "./net.js";
import { parse, refresh, swap } from "./parts.js";

export const words = JSON.parse(document.getElementById("desk").dataset.words);
const pane = document.getElementById("pane");
const listeners = [];
export let form = null; // the open draft's form, while it is a draft
export let opening = 0; // how many openings wait for their answer
export let turn = 0; // counts openings: a slow answer must not replace a newer one
const TYPING = 20_000; // so long after a key somebody is still at it
let typedAt = 0; // when the open draft was typed into
let answeredAt = 0; // when a button brought what is shown
let unread = false; // no key and no click since then

export const section = () => document.getElementById("draft");
export const openId = () => Number(section()?.dataset.draft ?? 0);

// `listener("shown")` when another content stands in the pane, `listener("saved", fields)` when these were saved.
export function whenPaneChanges(listener) {
  listeners.push(listener);
}

function tell(...news) {
  for (const listener of listeners) listener(...news);
}

// `at`: when a form that holds something was typed into last.
export function mount(at = 0) {
  const element = document.getElementById("draft-form");
  form = element ? new DraftForm(element, notice, wasSaved) : null;
  typedAt = form?.touched ? at : 0;
}

// A key counts even where it changes nothing: in a full field, in the wrong one.
for (const act of ["input", "keydown"]) {
  pane.addEventListener(act, ({ target }) => target.matches("input, select, textarea") && (typedAt = Date.now()));
}

for (const act of ["keydown", "pointerdown"]) {
  document.addEventListener(act, (event) => (unread &&= Boolean(event.repeat)), true);
}

function wasSaved(fields) {
  const old = document.querySelector("#draft-notice > .notice");
  if (old?.textContent.trim() === words.no_link) old.remove(); // there is a link again
  tell("saved", fields);
}

export function replacePane(content, focus = "") {
  form?.close();
  unread = false;
  answeredAt = 0;
  pane.innerHTML = content;
  mount();
  tell("shown");
  if (focus) pane.querySelector(focus)?.focus();
  if (pane.querySelector("[data-finished]")) scrollTo(0, 0); // the number stands on top, the button was pressed below
}

// What a button brought: the number and the PIN, or what is wrong. The first wrong field is in sight.
export function showAnswer(content, focus) {
  replacePane(content, focus);
  unread = true;
  answeredAt = Date.now();
  const wrong = document.activeElement?.closest("#pane .line-of") ?? pane.querySelector("#draft-notice > .notice");
  if (!pane.querySelector("[data-finished]")) wrong?.scrollIntoView({ block: "nearest", behavior: "instant" });
}

// A call that waits opens by F2 alone while what a button brought has seen no key and no click, and while the mistakes
// that it names are not mended. One that begins later is kept out only for as long as reading takes.
export const answerStands = () => unread || Boolean(pane.querySelector('[aria-invalid="true"]'));
export const justAnswered = () => Date.now() - answeredAt < TYPING;

export function notice(text, tone = "notice-wrong") {
  const place = document.getElementById("draft-notice") ?? section() ?? pane;
  const old = place.querySelector(":scope > .notice");
  if (!text || old?.textContent.trim() === text) return;
  old?.remove();
  const line = document.createElement("p");
  line.className = `notice ${tone}`;
  if (place.id !== "draft-notice") line.setAttribute("role", "status"); // that place is one already
  line.textContent = text;
  place.prepend(line);
}

// Why a button or a link did nothing, in words.
export function say(error) {
  if (error instanceof Away || error instanceof LoggedOut) notice(words.no_link);
  else if (error instanceof OtherUser) notice(words.other_user);
  else if (error instanceof Refused) notice([error.message, words.refused].filter(Boolean).join(". "));
  else throw error;
}

// Somebody types, or has typed what the server does not have. A field that only has the focus is not being filled.
export function beingFilled() {
  return Boolean(form) && (Date.now() - typedAt < TYPING || form.dirty);
}

// False when nobody answered, or another one was opened meanwhile.
export function openDraft(id, { claim = false, focus = false, push = true } = {}) {
  const load = async () => (claim ? htmlOf(await post(`/drafts/${id}/claim`, new FormData())) : html(`/drafts/${id}`));
  return open(load, { id, focus, push });
}

// A draft without a call; its first field gets the focus.
export const openNew = (url, body) => open(async () => htmlOf(await post(url, body)), { focus: true, push: true });

async function open(load, { id: wanted, focus, push }) {
  const ours = ++turn;
  form?.flush(); // goes on by itself; what is not sent is in this browser's storage
  let content;
  opening += 1;
  try {
    content = await load();
  } catch (error) {
    if (error instanceof Away || error instanceof LoggedOut) return false;
    say(error);
    return true;
  } finally {
    opening -= 1;
  }
  if (ours !== turn) return false;
  if (wanted && wanted === openId() && beingFilled()) { // somebody began to type into it meanwhile
    refreshDraft();
    return true;
  }
  const putAside = Boolean(wanted && form?.touched && section()?.dataset.writable === "true" && openId() !== wanted);
  replacePane(content, focus ? "#category_id, [data-close]" : "");
  if (putAside) notice(words.put_aside, "");
  const id = openId();
  if (push && location.pathname !== `/drafts/${id}`) history.pushState(null, "", `/drafts/${id}`);
  for (const call of calls.values()) if (call.draft === id) markSeen(call.call);
  return true;
}

export function closePane(text = "") {
  turn += 1;
  form?.flush();
  if (location.pathname !== "/") history.pushState(null, "", "/");
  replacePane(document.getElementById("empty-pane").innerHTML);
  notice(text, "");
}

// A call opens its form once in this tab: closed ones do not come back.
const seenCalls = () => JSON.parse(sessionStorage.getItem("cc-seen") ?? "[]");
export const seen = (call) => seenCalls().includes(call);

export function markSeen(call) {
  if (!seen(call)) sessionStorage.setItem("cc-seen", JSON.stringify([...seenCalls().slice(-50), call]));
}

export function refreshSide() {
  return refresh("side", async () => {
    const id = openId(); // here: when this runs once more, another draft may be open
    if (!id) return;
    const fresh = parse(`<div id="side" class="side">${await html(`/desk/side/${id}`)}</div>`);
    const side = document.getElementById("side");
    if (id === openId() && side) swap(side, fresh.firstElementChild);
  });
}

// Whose the open draft is, and what became of it. What is being typed stays.
export function refreshDraft() {
  return refresh("draft", async () => {
    const id = openId();
    if (!id) return;
    const content = await html(`/drafts/${id}`);
    if (id !== openId()) return;
    const fresh = parse(content);
    const stored = fresh.getElementById("draft");
    if (!stored) return; // another page than was asked for
    const mayWriteNow = stored.dataset.writable === "true" && section().dataset.writable !== "true";
    if (stored.dataset.state !== section().dataset.state) {
      if (form?.dirty) notice(words.finished_elsewhere);
      else replacePane(content);
      return;
    }
    if (mayWriteNow && !form?.dirty) return replacePane(content);
    const head = fresh.getElementById("draft-head");
    if (head) document.getElementById("draft-head")?.replaceWith(head);
    for (const name of ["messages", "emergency-told"]) { // a message that plays is left
      const [old, now] = [document, fresh].map((place) => place.getElementById(name));
      if (old && now) swap(old, now);
    }
    for (const name of ["owned", "writable"]) section().dataset[name] = stored.dataset[name];
    if (stored.dataset.writable !== "true") form?.becomesAnothers();
  });
}
