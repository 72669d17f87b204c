// What a call's news do to the desk: its draft opens by itself, becomes mine, or closes. Nobody who types is disturbed.
import { acting } from "./buttons.js";
import { calls } from "./events.js";
import { refreshLists } from "./lists.js";
import { refreshLive } from "./live.js";
import { ask, jsonOf, post } from "./net.js";
import * as pane from "./pane.js";

const waiting = new Set(); // calls on my phone whose draft could not open

const ofOpenDraft = () => [...calls.values()].find((call) => call.draft === pane.openId());

// What gives way to no call, not even to one that I answered: a button's errand and what it has just brought, a form that
// is being filled, and what was written while its own call goes on.
function stays() {
  const written = Boolean(pane.form?.touched) && !pane.form.stopped;
  return acting || pane.justAnswered() || pane.beingFilled() || (written && Boolean(ofOpenDraft()));
}

// What gives way to no call that rings: besides, the draft of the call that I am speaking on.
const busy = () => stays() || Boolean(ofOpenDraft()?.talking_to_me);

export async function callNews(now, before, lead) {
  const mine = (call) => Boolean(call && (call.rings_me || call.talking_to_me || call.owner_is_me));
  if (mine(now) || mine(before)) refreshLive();
  const taken = now.state === "missed" && now.owner !== before?.owner; // two must not call the same citizen back
  const over = now.owner_is_me && now.state !== before?.state; // F2 may lead to it now
  const told = now.state === "missed" && before?.state === "missed"; // a message may be there
  if (taken || told || over || now.owner_is_me !== Boolean(before?.owner_is_me)) refreshLists();
  if (now.draft && now.draft === pane.openId()) await openDraftNews(now, before);
  if (!lead) return;
  if (now.draft && now.draft === pane.openId()) pane.markSeen(now.call);
  const begins = now.rings_me && !before?.rings_me;
  const lifted = now.talking_to_me && now.state === "talking" && !before?.talking_to_me;
  if (begins && now.draft && !pane.seen(now.call)) {
    if (busy() || !(await pane.openDraft(now.draft))) waiting.add(now.call);
  }
  if (lifted && now.draft) await lift(now);
}

// What could not open when it began to ring, or when I answered it, opens while the call goes on, as soon as there is
// an answer, nobody types, and what the last button brought was read.
export async function openWaiting() {
  for (const id of waiting) {
    const call = calls.get(id);
    if (!(call?.rings_me || call?.talking_to_me) || pane.seen(id)) waiting.delete(id);
    else if (!pane.opening && !pane.answerStands() && !(call.talking_to_me ? stays() : busy())) await pane.openDraft(call.draft);
  }
}

// I lifted the receiver: the draft is mine, and if nothing outside of the pane has the focus the form gets it. Another
// open draft gives way, unless it `stays`: then the page says that it is another call's.
async function lift(now) {
  const free = document.activeElement === document.body || document.activeElement.closest("#pane");
  const openIt = async () => {
    if (!(await pane.openDraft(now.draft, { claim: true, focus: Boolean(free) }))) waiting.add(now.call);
  };
  if (now.draft !== pane.openId()) {
    if (!stays()) return openIt();
    waiting.add(now.call);
    await claim(now);
  } else if (!pane.form || pane.form.touched || pane.form.dirty) {
    await claim(now);
    pane.refreshDraft();
  } else await openIt();
}

async function claim(call) {
  if (!call.owner_is_me) await post(`/drafts/${call.draft}/claim`, new FormData()).catch(() => {});
}

async function openDraftNews(now, before) {
  if (acting) return;
  const { form } = pane;
  const first = now.state === "talking" ? before?.state !== "talking" : now.state === "ended" && before?.state === "ringing";
  // told late, a call may have ended by now; of a page just opened nothing is known from before, and it stays
  const elsewhere = Boolean(before) && first && !now.talking_to_me;
  if (now.draft_state && now.draft_state !== pane.section().dataset.state) {
    await pane.refreshDraft();
  } else if (elsewhere && form && !form.touched && !form.dirty && !now.owner_is_me) {
    const note = await noteOf(now.call);
    if (pane.openId() === now.draft && !pane.form?.touched) pane.closePane(note);
  } else if (elsewhere && form && pane.section().dataset.writable === "true") { // else the page says already whose it is
    pane.notice(await noteOf(now.call));
    pane.refreshDraft();
  } else if (now.state !== before?.state || now.owner !== before?.owner) {
    pane.refreshDraft();
    pane.refreshSide();
  } else if (now.state === "missed") { // a message may be there
    pane.refreshDraft();
  }
}

// In words what became of the call: none, if nobody answers now.
async function noteOf(call) {
  const { note } = await ask(`/desk/calls/${call}`).then(jsonOf).catch(() => ({ note: "" }));
  return note;
}
