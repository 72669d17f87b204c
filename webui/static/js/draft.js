// The open draft's form: nothing typed is lost. Each change goes to this browser's storage at once and to the server
// after a short pause; what the server has not confirmed stays in storage, under the user's and the draft's number.
import { Conflicts } from "./conflicts.js";
import { Executor } from "./executor.js";
import { Fields } from "./fields.js";
import { Hints } from "./hints.js";
import { Away, LoggedOut, OtherUser, html, jsonOf, post } from "./net.js";
import { parse, refresh } from "./parts.js";
import { StreetHint } from "./street.js";
import { GONE, discard, keepUnsent, unsent } from "./unsent.js";

const PAUSE = 600;
const AGAIN = 3000; // between two tries while nobody answers
const words = JSON.parse(document.getElementById("desk")?.dataset.words ?? "{}");
const user = document.body.dataset.user;
const channel = "BroadcastChannel" in self ? new BroadcastChannel("drafts") : null;

export class DraftForm {
  // `say(text)` shows a notice above the form; `saved(fields)` is told after each save what was saved.
  constructor(form, say, saved) {
    this.form = form;
    this.id = Number(form.dataset.draft);
    this.say = (text) => this.closed || say(text);
    this.saved = saved;
    this.fields = new Fields(form);
    this.executor = new Executor(this.fields);
    this.hints = new Hints(this.fields);
    this.street = new StreetHint(this.fields.of("street"), (street) => this.corrected(street));
    this.conflicts = new Conflicts(this.fields, (name) => this.chosen(name));
    this.base = this.fields.given(); // what the server has
    this.stopped = form.querySelector("fieldset").disabled; // a colleague's: here nobody types
    this.touched = !this.stopped && Object.values(this.base).some((value) => value !== "" && value !== false);
    this.sending = null;
    this.follow();
    this.takeBack();
    if (!this.stopped && this.dirty) this.typedEarly();
  }

  follow() {
    const until = new AbortController();
    const on = (target, name, act) => target?.addEventListener(name, act, { signal: until.signal });
    on(this.form, "input", (event) => this.changed(event.target));
    on(this.form, "change", (event) => this.leaves(event.target));
    on(channel, "message", ({ data }) => this.heard(data));
    on(document, "visibilitychange", () => document.hidden && this.flush());
    this.end = () => until.abort();
  }

  close() {
    clearTimeout(this.timer);
    this.closed = true;
    this.end();
  }

  // A colleague has it by now: here nobody types any more, and what was not sent stays in this browser.
  becomesAnothers() {
    for (const part of this.form.elements) if (part.matches("fieldset, [data-act]")) part.disabled = true;
    Object.assign(this.form.querySelector("#other-endings"), { open: false, inert: true });
    this.stopped = true;
    if (!this.dirty) return;
    this.gone = true;
    this.remember();
    this.show("kept");
  }

  // ---- what is typed

  dirtyFields() {
    const now = this.fields.read();
    const changed = this.fields.names.filter((name) => now[name] !== this.base[name]);
    return Object.fromEntries(changed.map((name) => [name, now[name]]));
  }

  get dirty() {
    return Object.keys(this.dirtyFields()).length > 0;
  }

  changed({ name }) {
    if (!this.fields.names.includes(name)) return;
    this.touched = true;
    this.fields.forgive(name);
    this.executor.changed(name);
    this.remember();
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.flush(), PAUSE);
  }

  // Typed while this script was still on its way, as on a slow computer.
  typedEarly() {
    this.touched = true;
    this.remember();
    this.flush();
  }

  // What the server knows about a street or a telephone is shown as soon as it is typed.
  leaves({ name }) {
    if (name === "street") this.street.show();
    if (name === "other_phone") this.hints.showPhone();
    if (["street", "other_phone"].includes(name)) this.flush();
  }

  // ---- what waits in this browser

  // Keep what the server does not have.
  remember() {
    const fields = this.dirtyFields();
    if (!Object.keys(fields).length) return discard(this.id);
    const base = Object.fromEntries(Object.keys(fields).map((name) => [name, this.base[name]]));
    keepUnsent(this.id, { fields, base, revision: this.fields.revision, at: Date.now(), refused: this.gone });
    this.show("saving");
  }

  // What was typed here before a reload, a crash or a logout comes back into the form.
  takeBack() {
    const kept = unsent(this.id);
    if (!kept) return;
    const now = this.base;
    this.base = { ...now, ...kept.base };
    for (const [name, value] of Object.entries(kept.fields)) {
      if (this.fields.names.includes(name)) this.fields.write(name, value);
    }
    this.touched = true;
    this.gone = this.stopped && kept.refused;
    this.meet(now, this.fields.revision);
    if (!this.stopped) this.flush();
    else if (this.dirty) this.show("kept");
  }

  // ---- what the server has

  // Another tab tells what it saved. What came between that and the own revision is not in it: then all is asked for.
  heard({ user: whose, draft, fields, revision }) {
    if (whose !== user || draft !== this.id || revision <= this.fields.revision) return;
    const whole = this.fields.names.every((name) => name in fields);
    if (whole || revision === this.fields.revision + 1) this.meet(fields, revision);
    else this.catchUp();
  }

  catchUp() {
    return refresh("stored", async () => {
      const stored = parse(await html(`/drafts/${this.id}`)).getElementById("draft-form");
      if (!stored || this.closed) return;
      const fields = new Fields(stored);
      this.meet(fields.read(), fields.revision);
    });
  }

  // A button's answer has all fields.
  answered({ fields, revision }) {
    this.meet(fields, revision);
    this.tell(fields, revision);
  }

  tell(fields, revision) {
    channel?.postMessage({ user, draft: this.id, revision, fields });
  }

  // The server has `fields` at `revision`: take what was not changed here; where both changed, the person chooses.
  meet(fields, revision) {
    if (revision < this.fields.revision) return;
    const ours = this.fields.read();
    const chose = this.conflicts.size > 0;
    for (const name of this.fields.names.filter((one) => one in fields)) {
      const [theirs, before] = [fields[name], this.base[name]];
      this.base[name] = theirs;
      if (ours[name] === theirs || ours[name] === before) {
        this.fields.write(name, theirs);
        this.conflicts.forget(name);
      } else if (theirs !== before) this.conflicts.add(name, theirs);
    }
    this.fields.revision = revision;
    this.executor.settle();
    this.remember();
    this.conflicts.show();
    if (this.conflicts.size) this.show("compare");
    else if (!this.dirty) this.show("saved");
    else if (chose) this.flush(); // nothing is left to choose: the rest is sent
  }

  // The person chose one of two texts.
  chosen(name) {
    this.remember();
    if (this.conflicts.size) this.show("compare");
    else if (this.dirty) this.flush();
    else this.show("saved");
    this.fields.of(name).focus();
  }

  // The server has the present name already: that is what it found the former one to be.
  corrected(street) {
    this.base.street = street;
    this.remember();
  }

  // ---- sending

  // Send what changed, and again what changed meanwhile; true when the server has it all.
  async flush() {
    clearTimeout(this.timer);
    while (this.sending) await this.sending;
    while (this.dirty && !this.stopped && !this.conflicts.size) {
      this.sending = this.send().finally(() => (this.sending = null));
      if (!(await this.sending)) break;
    }
    return !this.dirty;
  }

  async send() {
    const fields = this.dirtyFields();
    this.show("saving");
    try {
      const answer = await post(`/drafts/${this.id}/save`, { revision: this.fields.revision, fields });
      const body = await jsonOf(answer);
      if (answer.ok) return this.sent(fields, body);
      if (body.error === "saved_meanwhile") {
        this.meet(body.fields, body.revision);
        return true;
      }
      this.refused(body);
    } catch (error) {
      this.unanswered(error);
    }
    return false;
  }

  sent(fields, { revision, errors, repeat, same_place, outages, street, phone_note }) {
    for (const [name, value] of Object.entries(fields)) if (!errors[name]) this.base[name] = value;
    this.fields.revision = revision;
    const wrong = Object.values(errors);
    if (wrong.length) this.say(wrong.join(" "));
    this.tell(fields, revision);
    this.remember();
    this.saved(fields);
    if (!this.closed) {
      this.hints.showRepeat(repeat);
      if (same_place !== undefined) this.hints.showSamePlace(same_place);
      if (outages !== undefined) this.hints.showOutages(outages);
      if (street) this.street.show({ ...street, typed: fields.street });
      if (phone_note !== undefined) this.hints.showPhone({ note: phone_note, typed: fields.other_phone });
    }
    if (!this.dirty) this.show("saved");
    else if (wrong.length) this.show("kept");
    return !wrong.length;
  }

  refused({ message, error }) {
    if (GONE.includes(error)) {
      this.stopped = this.gone = true;
      this.remember();
    }
    if (message) this.say(message);
    this.show("kept");
  }

  unanswered(error) {
    this.show("kept");
    if (error instanceof OtherUser) {
      this.stopped = true;
      this.say(words.other_user);
    } else if (error instanceof Away || error instanceof LoggedOut) {
      if (!this.closed) this.timer = setTimeout(() => this.flush(), AGAIN);
    } else reportError(error); // a fault of ours: told in the console, and nobody who waits for the save breaks off
  }

  show(state) {
    const place = this.form.querySelector("#save-state");
    if (place.dataset.state === state) return;
    place.dataset.state = state;
    place.textContent = words[state];
  }
}
