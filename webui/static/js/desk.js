// The desk: bars of live calls, the draft that opens by itself, and the parts of the page that follow the events.
import { bindKeys } from "./keys.js";
import { DraftForm, discard, refusedTexts, sendUnsent, unsent } from "./draft.js";
import { calls, listen } from "./events.js";
import { Away, LoggedOut, OtherUser, Refused, ask, html, htmlOf, post } from "./net.js";

const words = JSON.parse(document.getElementById("desk").dataset.words);
const pane = document.getElementById("pane");
const live = document.getElementById("live");
const lists = document.getElementById("lists");
let form = null; // the open draft's form, while it is a draft
let acting = false; // a button was pressed and the answer is not there yet
let turn = 0; // counts openings: a slow answer must not replace a newer one
let opening = 0; // how many openings wait for their answer
const waiting = new Map(); // calls that began to ring here and could not open → whether nobody answered

// ---- the open draft

const section = () => document.getElementById("draft");
const openId = () => Number(section()?.dataset.draft ?? 0);

function mount() {
  const element = document.getElementById("draft-form");
  form = element ? new DraftForm(element, notice, () => refreshLists(500)) : null;
}

function replacePane(content, focus = "") {
  form?.close();
  pane.innerHTML = content;
  mount();
  match();
  showUnsent();
  if (focus) pane.querySelector(focus)?.focus();
}

function notice(text, tone = "notice-wrong") {
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
function say(error) {
  if (error instanceof Away || error instanceof LoggedOut) notice(words.no_link);
  else if (error instanceof OtherUser) notice(words.other_user);
  else if (error instanceof Refused) notice([error.message, words.refused].filter(Boolean).join(". "));
  else throw error;
}

// What nobody must disturb: a field with the focus, something typed, or the draft of the call that I am speaking on.
function busy() {
  const field = document.activeElement?.closest("#pane :is(input, select, textarea)");
  const speaking = [...calls.values()].some((call) => call.draft === openId() && call.talking_to_me);
  return acting || Boolean(field) || Boolean(form?.touched || form?.dirty) || speaking;
}

// False when nobody answered.
async function openDraft(id, { claim = false, focus = false, push = true } = {}) {
  const mine = ++turn;
  form?.flush(); // goes on by itself; what is not sent is in this browser's storage
  let content;
  opening += 1;
  try {
    content = await (claim ? htmlOf(await post(`/drafts/${id}/claim`, new FormData())) : html(`/drafts/${id}`));
  } catch (error) {
    if (error instanceof Away || error instanceof LoggedOut) return false;
    say(error);
    return true;
  } finally {
    opening -= 1;
  }
  if (mine !== turn) return true;
  if (push && location.pathname !== `/drafts/${id}`) history.pushState(null, "", `/drafts/${id}`);
  replacePane(content, focus ? "#category_id, [data-close]" : "");
  for (const call of calls.values()) if (call.draft === id) markSeen(call.call);
  refreshLists();
  return true;
}

function closePane(text = "") {
  turn += 1;
  form?.flush();
  if (location.pathname !== "/") history.pushState(null, "", "/");
  replacePane(document.getElementById("empty-pane").innerHTML);
  refreshLists();
  notice(text, "");
}

function showUnsent() {
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
  for (const { id, text } of texts) {
    const item = row.cloneNode(true);
    item.querySelector("[data-text]").textContent = text;
    item.querySelector("[data-discard]").dataset.discard = id;
    list.append(item);
  }
  lists.append(fresh);
}

// ---- buttons

document.addEventListener("submit", (event) => {
  const target = event.target;
  if (target.id === "draft-form") {
    event.preventDefault();
    if (event.submitter) pressed(event.submitter);
  } else if (target.matches("[data-claim]")) {
    event.preventDefault();
    openDraft(Number(target.closest(".bar").dataset.draft), { claim: true, focus: true });
  } else if (target.matches("[data-hand-over], [data-reopen]")) {
    event.preventDefault();
    const body = new FormData(target, event.submitter);
    const draft = Number(target.action.match(/drafts\/(\d+)/)[1]);
    act(target.action, body, target.matches("[data-reopen]") || draft === openId());
  }
});

// A button of the form: first everything typed is saved, then the button's own errand is sent.
async function pressed(button) {
  if (acting || !form) return;
  acting = true;
  const open = form; // another one may be opened before the answer is there
  try {
    await open.flush();
    if (open.closed) return;
    if (open.conflicts.size) return notice(words.compare);
    if (open.stopped && open.dirty) return;
    const body = new FormData(open.form, button);
    const fields = open.read();
    const answer = await post(button.getAttribute("formaction") ?? open.form.action, body);
    const act = button.dataset.act;
    if (act === "person" && answer.ok) {
      const { fields, revision } = await answer.json();
      open.meet(fields, revision);
      refreshSide();
    } else if (act === "hand_over" && answer.ok) {
      if (open === form) closePane(words.handed_over);
    } else {
      const content = await htmlOf(answer);
      if (answer.ok) open.base = fields; // the errand carried all fields
      open.remember();
      if (open === form) replacePane(content, answer.ok ? "a[data-close], #category_id" : "[data-error-summary], .notice");
    }
  } catch (error) {
    say(error);
  } finally {
    acting = false;
  }
}

async function act(url, body, replace) {
  if (acting) return;
  acting = true;
  try {
    const content = await htmlOf(await post(url, body));
    if (replace) replacePane(content, "#text, [data-close]");
    refreshLive();
  } catch (error) {
    say(error);
  } finally {
    acting = false;
  }
}

document.addEventListener("click", (event) => {
  if (event.ctrlKey || event.metaKey || event.shiftKey) return;
  const refused = event.target.closest("[data-discard]");
  if (refused) {
    discard(Number(refused.dataset.discard));
    showUnsent();
  }
  const draft = event.target.closest("[data-draft-link]");
  const close = event.target.closest("[data-close]");
  if (!draft && !close) return;
  event.preventDefault();
  if (draft) openDraft(Number(draft.dataset.draftLink), { focus: true });
  else closePane();
});

addEventListener("popstate", () => {
  const id = location.pathname.match(/^\/drafts\/(\d+)$/)?.[1];
  if (id) openDraft(Number(id), { push: false });
  else closePane();
});

// The bar that F2 takes: the first that rings for me with another draft than the open one, else the first that rings,
// else the first.
function next() {
  const bars = [...live.querySelectorAll(".bar")].filter((bar) => bar.dataset.draft);
  const ringing = bars.filter((bar) => bar.dataset.ringing === "true");
  return ringing.find((bar) => Number(bar.dataset.draft) !== openId()) ?? ringing[0] ?? bars[0];
}

// The bars and the open draft belong together: F2 stands on the bar that it takes, and a draft has one button to take it.
function match() {
  for (const key of live.querySelectorAll("[data-take]")) key.hidden = key.closest(".bar") !== next();
  const claim = pane.querySelector('[data-act="claim"]');
  if (claim) claim.hidden = Boolean(live.querySelector(`.bar[data-draft="${openId()}"]`));
}

// F2: that call's draft becomes mine and the form gets the focus.
function take() {
  const id = Number(next()?.dataset.draft ?? 0);
  if (id && id === openId() && section().dataset.owned === "true") pane.querySelector("#category_id")?.focus();
  else if (id) openDraft(id, { claim: true, focus: true });
  else (pane.querySelector("#category_id") ?? lists.querySelector("a"))?.focus();
}

bindKeys({
  take,
  mayClose: () => Boolean(section()) && !document.activeElement?.closest("#pane :is(input, select, textarea)"),
});

// ---- parts that follow the events

const fetching = new Map();

// At most one request for a part at a time, and one more if something happened meanwhile.
async function refresh(name, load) {
  if (fetching.has(name)) {
    fetching.set(name, true);
    return;
  }
  fetching.set(name, false);
  try {
    await load();
  } catch (error) {
    if (![Away, LoggedOut, Refused].some((kind) => error instanceof kind)) throw error; // the old part stays
  } finally {
    const again = fetching.get(name);
    fetching.delete(name);
    if (again) refresh(name, load);
  }
}

const plainOf = (content) => content.replace(/name="csrf_token" value="[^"]*"/g, "");

// Replaces an element only if it changed, and gives the focus back to the same button.
function swap(old, fresh) {
  if (plainOf(old.outerHTML.replace(/ open=""/g, "")) === plainOf(fresh.outerHTML)) return;
  const focusable = "a, button, summary, input";
  const at = [...old.querySelectorAll(focusable)].indexOf(document.activeElement);
  old.replaceWith(fresh);
  if (at >= 0) fresh.querySelectorAll(focusable)[at]?.focus();
}

function parse(content) {
  const box = document.createElement("template");
  box.innerHTML = content;
  return box.content;
}

function refreshLive() {
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

function refreshSide() {
  return refresh("side", async () => {
    const id = openId(); // here: when this runs once more, another draft may be open
    if (!id) return;
    const fresh = parse(`<div id="side" class="side">${await html(`/desk/side/${id}`)}</div>`);
    if (id === openId()) swap(document.getElementById("side"), fresh.firstElementChild);
  });
}

function refreshHead() {
  return refresh("head", async () => {
    const id = openId();
    if (!id) return;
    const fresh = parse(await html(`/drafts/${id}`));
    const head = document.getElementById("draft-head");
    if (id !== openId() || !head) return;
    const now = fresh.getElementById("draft-head");
    if (now) head.replaceWith(now);
    for (const name of ["owned", "mine"]) section().dataset[name] = fresh.getElementById("draft").dataset[name];
  });
}

let listsDue = Infinity;
let listsTimer = 0;

// Who goes on typing does not put it off.
function refreshLists(after = 250) {
  const due = Date.now() + after;
  if (due >= listsDue) return;
  listsDue = due;
  clearTimeout(listsTimer);
  listsTimer = setTimeout(
    () => {
      listsDue = Infinity;
      refresh("lists", async () => {
        const fresh = document.createElement("aside");
        fresh.innerHTML = await html("/desk/lists");
        if (plainOf(fresh.innerHTML) !== plainOf(lists.innerHTML)) lists.innerHTML = fresh.innerHTML;
        showUnsent();
      });
    },
    after,
  );
}

function tick() {
  for (const clock of live.querySelectorAll(".bar-clock")) {
    const seconds = Math.max(0, Math.floor(Date.now() / 1000 - Number(clock.dataset.since)));
    const two = (value) => String(value).padStart(2, "0");
    const hours = Math.floor(seconds / 3600);
    clock.textContent = `${hours ? `${hours}:` : ""}${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`;
  }
}

// ---- news

async function callNews(now, before, lead) {
  const mine = (call) => Boolean(call && (call.rings_me || call.talking_to_me || call.owner_is_me));
  if (mine(now) || mine(before)) refreshLive();
  if (now.owner_is_me !== Boolean(before?.owner_is_me)) refreshLists();
  if (now.draft && now.draft === openId()) await openDraftNews(now, before);
  if (!lead) return;
  if (now.draft && now.draft === openId()) markSeen(now.call);
  const begins = now.rings_me && !before?.rings_me;
  const lifted = now.talking_to_me && now.state === "talking" && !before?.talking_to_me;
  if (begins && now.draft && !seen(now.call)) {
    if (busy()) waiting.set(now.call, false);
    else if (!(await openDraft(now.draft))) waiting.set(now.call, true);
  }
  if (lifted && now.draft) await lift(now);
}

// What could not open when it began to ring opens while it still rings: after no answer as soon as there is one, after
// somebody's typing only where nothing is open.
async function openWaiting() {
  for (const [id, unanswered] of waiting) {
    const call = calls.get(id);
    if (!call?.rings_me || seen(id)) waiting.delete(id);
    else if (!opening && !busy() && (unanswered || !section())) await openDraft(call.draft);
  }
}

// I lifted the receiver: the draft is mine, and if nothing has the focus the form gets it.
async function lift(now) {
  if (now.draft !== openId()) {
    if (!busy()) await openDraft(now.draft, { claim: true, focus: document.activeElement === document.body });
    return;
  }
  if (form?.touched || form?.dirty || !form) {
    if (!now.owner_is_me) await post(`/drafts/${now.draft}/claim`, new FormData()).catch(() => {});
    refreshHead();
  } else await openDraft(now.draft, { claim: true, focus: document.activeElement === document.body });
}

async function openDraftNews(now, before) {
  if (acting) return;
  const elsewhere = now.state === "talking" && !now.talking_to_me && before?.state !== "talking";
  if (now.draft_state && now.draft_state !== section().dataset.state) {
    if (form?.dirty) notice(words.finished_elsewhere);
    else await openDraft(now.draft, { push: false });
  } else if (elsewhere && form && !form.touched && !form.dirty && !now.owner_is_me) {
    const note = await noteOf(now.call);
    if (openId() === now.draft && !form?.touched) closePane(note);
  } else if (elsewhere && form && section().dataset.mine === "true") { // else the page says already whose it is
    notice(await noteOf(now.call));
    refreshHead();
  } else if (now.state !== before?.state || now.owner !== before?.owner) {
    refreshHead();
    refreshSide();
  }
}

async function noteOf(call) {
  return (await (await ask(`/desk/calls/${call}`)).json()).note;
}

// A call opens its form once in this tab: closed ones do not come back.
const seenCalls = () => JSON.parse(sessionStorage.getItem("cc-seen") ?? "[]");
const seen = (call) => seenCalls().includes(call);

function markSeen(call) {
  if (!seen(call)) sessionStorage.setItem("cc-seen", JSON.stringify([...seenCalls().slice(-50), call]));
}

listen((kind, ...news) => {
  if (kind === "call") callNews(...news).catch(() => {}); // no answer: the next state brings it
  if (kind === "counts") refreshLists();
  if (kind === "report" && pane.querySelector(`[data-report="${news[0].report}"]`)) refreshSide();
  if (kind === "state" || (kind === "link" && news[0] === "open")) {
    form?.flush();
    sendUnsent(openId()).then(showUnsent);
  }
});

mount();
match();
showUnsent();
tick();
setInterval(() => {
  tick();
  openWaiting();
}, 1000);
