// The buttons of the open draft and of the bars: what each sends, and what its answer does.
import { refreshLive } from "./live.js";
import { htmlOf, jsonOf, post } from "./net.js";
import * as pane from "./pane.js";

export let acting = false; // a button was pressed and the answer is not there yet
let making = false; // the same of a draft without a call

document.addEventListener("submit", (event) => {
  const target = event.target;
  if (target.id === "draft-form") {
    event.preventDefault();
    if (event.submitter) pressed(event.submitter);
  } else if (target.matches("[data-claim]")) {
    event.preventDefault();
    pane.openDraft(Number(target.closest(".bar").dataset.draft), { claim: true, focus: true });
  } else if (target.matches("[data-new]")) {
    event.preventDefault();
    target.querySelector("details").open = false;
    openNew(target.action, new FormData(target, event.submitter));
  } else if (target.matches("[data-hand-over]")) {
    event.preventDefault();
    const draft = Number(target.action.match(/drafts\/(\d+)/)[1]);
    act(target.action, new FormData(target, event.submitter), () => handed(event.submitter, draft === pane.openId()));
  } else if (target.matches("[data-reopen]")) {
    event.preventDefault();
    const { turn } = pane; // where another draft is opened before the answer is there, that one stays
    const show = (content) => turn === pane.turn && pane.replacePane(content, "#text, [data-close]");
    act(target.action, new FormData(target), show);
  }
});

async function openNew(url, body) {
  if (making) return;
  making = true;
  const answered = await pane.openNew(url, body).finally(() => (making = false));
  if (!answered) pane.notice(pane.words.no_link);
}

// A button of the form: first everything typed is saved, then the button's own errand is sent.
async function pressed(button) {
  if (acting || !pane.form) return;
  acting = true;
  const open = pane.form; // another one may be opened before the answer is there
  try {
    await open.flush();
    if (open.closed) return;
    if (open.conflicts.size) return pane.notice(pane.words.compare);
    if (open.stopped && open.dirty) return;
    const body = new FormData(open.form, button);
    const fields = open.fields.read();
    const answer = await post(button.getAttribute("formaction") ?? open.form.action, body);
    const act = button.dataset.act;
    if (act === "person" && answer.ok) {
      open.answered(await jsonOf(answer));
      pane.refreshSide();
    } else if (act === "hand_over" && answer.ok) {
      handed(button, open === pane.form);
    } else {
      const content = await htmlOf(answer);
      if (answer.ok) open.base = fields; // the errand carried all fields
      open.remember();
      if (open === pane.form) pane.showAnswer(content, answer.ok ? "a[data-close], #category_id" : '[aria-invalid="true"], #draft-notice > .notice');
      refreshLive();
    }
  } catch (error) {
    pane.say(error);
  } finally {
    acting = false;
  }
}

// To whom the draft went; it is not here any more.
function handed(button, open) {
  const said = `${pane.words.handed_over} ${button.firstChild.textContent.trim()}`;
  if (open) pane.closePane(said);
  else pane.notice(said, "");
}

async function act(url, body, done) {
  if (acting) return;
  acting = true;
  try {
    const content = await htmlOf(await post(url, body));
    done(content);
    refreshLive();
  } catch (error) {
    pane.say(error);
  } finally {
    acting = false;
  }
}
