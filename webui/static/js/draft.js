// The open draft's form: nothing typed is lost. Each change goes to this browser's storage at once and to the server
// after a short pause; what the server has not confirmed stays in storage, under the user's and the draft's number.
import { Away, LoggedOut, OtherUser, post } from "./net.js";
import { GONE, storageKey, unsent } from "./unsent.js";

const PAUSE = 600;
const AGAIN = 3000; // between two tries while nobody answers
const words = JSON.parse(document.getElementById("desk")?.dataset.words ?? "{}");
const user = document.body.dataset.user;
const channel = "BroadcastChannel" in self ? new BroadcastChannel("drafts") : null;

export class DraftForm {
  constructor(form, say, saved) {
    this.form = form;
    this.saved = saved; // told after each save which fields
    this.id = Number(form.dataset.draft);
    this.names = [...form.querySelectorAll(".draft-fields [name]")].map((field) => field.name);
    this.say = (text) => this.closed || say(text); // shows a notice above the form
    this.base = this.read(); // what the server has
    this.touched = Object.values(this.base).some((value) => value !== "" && value !== false);
    this.conflicts = new Map(); // field → the server's text
    this.sending = null;
    this.stopped = form.querySelector("fieldset").disabled;
    this.typed = (event) => this.changed(event.target);
    form.addEventListener("input", this.typed);
    form.addEventListener("change", (this.left = (event) => this.leaves(event.target)));
    this.heard = ({ data }) => data.user === user && data.draft === this.id && this.meet(data.fields, data.revision);
    channel?.addEventListener("message", this.heard);
    this.flushSoon = () => document.hidden && this.flush();
    document.addEventListener("visibilitychange", this.flushSoon);
    this.takeBack();
    this.executorChosen = this.choseExecutor();
  }

  close() {
    clearTimeout(this.timer);
    this.closed = true;
    this.form.removeEventListener("input", this.typed);
    this.form.removeEventListener("change", this.left);
    channel?.removeEventListener("message", this.heard);
    document.removeEventListener("visibilitychange", this.flushSoon);
  }

  field(name) {
    return this.form.elements[name];
  }

  read() {
    const value = (field) => (field.type === "checkbox" ? field.checked : field.value);
    return Object.fromEntries(this.names.map((name) => [name, value(this.field(name))]));
  }

  write(name, value) {
    const field = this.field(name);
    if (field.type === "checkbox") field.checked = Boolean(value);
    else field.value = value;
  }

  get revision() {
    return Number(this.field("revision").value);
  }

  set revision(revision) {
    this.field("revision").value = revision;
  }

  dirtyFields() {
    const now = this.read();
    return Object.fromEntries(this.names.filter((name) => now[name] !== this.base[name]).map((name) => [name, now[name]]));
  }

  get dirty() {
    return Object.keys(this.dirtyFields()).length > 0;
  }

  categoryExecutor() {
    return this.field("category_id").selectedOptions[0]?.dataset.executor ?? "";
  }

  // Somebody chose the executor; one that only follows from the category goes on following it.
  choseExecutor() {
    const executor = this.field("executor_id").value;
    return executor !== "" && executor !== this.categoryExecutor();
  }

  changed(field) {
    if (!this.names.includes(field.name)) return;
    this.touched = true;
    if (field.name === "executor_id") this.executorChosen = this.choseExecutor();
    if (field.name === "category_id" && !this.executorChosen) this.write("executor_id", this.categoryExecutor());
    this.remember();
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.flush(), PAUSE);
  }

  // What the server knows about a street or a telephone is shown as soon as it is typed.
  leaves(field) {
    if (field.name === "street") this.showStreet();
    if (field.name === "other_phone") this.showPhone();
    if (["street", "other_phone"].includes(field.name)) this.flush();
  }

  // Keep in this browser what the server does not have.
  remember() {
    const fields = this.dirtyFields();
    if (!Object.keys(fields).length) {
      localStorage.removeItem(storageKey(this.id));
      return;
    }
    const base = Object.fromEntries(Object.keys(fields).map((name) => [name, this.base[name]]));
    const kept = { fields, base, revision: this.revision, at: Date.now(), refused: this.gone };
    localStorage.setItem(storageKey(this.id), JSON.stringify(kept));
    this.show("saving");
  }

  // What was typed here before a reload, a crash or a logout comes back into the form.
  takeBack() {
    const kept = unsent(this.id);
    if (!kept) return;
    const now = this.base;
    this.base = { ...now, ...kept.base };
    for (const [name, value] of Object.entries(kept.fields)) if (this.names.includes(name)) this.write(name, value);
    this.touched = true;
    this.meet(now, this.revision);
    if (!this.stopped) this.flush();
  }

  // The server has `fields` at `revision`: take what was not changed here; where both changed, the person chooses.
  meet(fields, revision) {
    if (revision < this.revision) return;
    const ours = this.read();
    for (const name of this.names) {
      if (!(name in fields) || fields[name] === this.base[name]) continue;
      if (ours[name] === this.base[name]) this.write(name, fields[name]);
      else if (ours[name] !== fields[name]) this.conflicts.set(name, fields[name]);
      this.base[name] = fields[name];
    }
    this.revision = revision;
    this.executorChosen = this.choseExecutor();
    this.remember();
    this.showConflicts();
    if (!this.dirty) this.show("saved");
  }

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
    const revision = this.revision;
    this.show("saving");
    try {
      const answer = await post(`/drafts/${this.id}/save`, { revision, fields });
      const body = await answer.json();
      if (answer.ok) return this.sent(fields, body);
      if (body.error === "saved_meanwhile") {
        this.meet(body.fields, body.revision);
        return true;
      }
      this.refused(body);
    } catch (error) {
      this.keep(error);
    }
    return false;
  }

  sent(fields, { revision, errors, repeat, street, phone_note }) {
    for (const [name, value] of Object.entries(fields)) if (!errors[name]) this.base[name] = value;
    this.revision = revision;
    const wrong = Object.values(errors);
    if (wrong.length) this.say(wrong.join(" "));
    channel?.postMessage({ user, draft: this.id, revision, fields });
    this.remember();
    this.saved(fields);
    this.showRepeat(repeat);
    if (street) this.showStreet({ ...street, typed: fields.street });
    if (phone_note !== undefined) this.showPhone({ note: phone_note, typed: fields.other_phone });
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

  keep(error) {
    this.show("kept");
    if (error instanceof OtherUser) {
      this.stopped = true;
      this.say(words.other_user);
    } else if (error instanceof Away || error instanceof LoggedOut) {
      if (!this.closed) this.timer = setTimeout(() => this.flush(), AGAIN);
    } else throw error;
  }

  show(state) {
    const place = document.getElementById("save-state");
    if (!place || this.closed || place.dataset.state === state) return;
    place.dataset.state = state;
    place.textContent = words[state];
  }

  showRepeat(repeat) {
    const place = document.getElementById("repeat");
    if (!place || this.closed) return;
    const button = place.querySelector("button");
    place.hidden = button.disabled = !repeat;
    if (!repeat) return;
    Object.assign(place.querySelector("a"), { href: repeat.url, textContent: `№\u00a0${repeat.number}` });
    button.value = repeat.number;
  }

  // A former name gives way to the present one once the field is left; what is no street is said only then.
  showStreet(street = this.street) {
    const field = this.field("street");
    const place = document.getElementById("street-note");
    if (!street || !place || this.closed) return;
    this.street = street;
    const typing = document.activeElement === field;
    const still = field.value === street.typed;
    place.textContent = still && (street.name || !typing) ? street.note : "";
    if (still && street.name && !typing) {
      field.value = this.base.street = street.typed = street.name;
      this.remember();
    }
  }

  // A number that cannot be called is said once the field is left, and until it is changed.
  showPhone(phone = this.phone) {
    const field = this.field("other_phone");
    const place = document.getElementById("phone-note");
    if (!phone || !place || this.closed) return;
    this.phone = phone;
    place.textContent = field.value === phone.typed && document.activeElement !== field ? phone.note : "";
  }

  showConflicts() {
    const place = document.getElementById("conflicts");
    if (!place || this.closed) return;
    place.replaceChildren();
    for (const [name, theirs] of this.conflicts) {
      const box = document.getElementById("conflict").content.cloneNode(true).firstElementChild;
      box.querySelector("[data-field]").textContent = this.label(name);
      box.querySelector("[data-theirs]").textContent = this.readable(name, theirs);
      box.querySelector("[data-ours]").textContent = this.readable(name, this.read()[name]);
      box.addEventListener("click", (event) => event.target.dataset.keep && this.choose(name, event.target.dataset.keep));
      place.append(box);
    }
    if (this.conflicts.size) this.show("compare");
  }

  choose(name, whose) {
    if (whose === "theirs") this.write(name, this.conflicts.get(name));
    this.conflicts.delete(name);
    this.showConflicts();
    this.remember();
    if (this.dirty) this.flush();
    else this.show("saved");
    this.field(name).focus();
  }

  label(name) {
    return this.form.querySelector(`label[for="${name}"]`)?.textContent ?? this.field(name).closest("label").textContent;
  }

  readable(name, value) {
    const field = this.field(name);
    if (field.type === "checkbox") return value ? words.yes : words.no;
    const option = field.options && [...field.options].find((one) => one.value === value);
    return (option ? option.textContent.trim() : value) || words.empty;
  }
}
