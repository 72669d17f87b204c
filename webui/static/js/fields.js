// The fields of the open draft's form: what they hold, what is wrong with them, and how a person reads it.
import { still } from "./parts.js";

const words = JSON.parse(document.getElementById("desk")?.dataset.words ?? "{}");

export class Fields {
  constructor(form) {
    this.form = form;
    this.names = [...form.querySelectorAll(".draft-fields [name]")].map((field) => field.name);
  }

  of(name) {
    return this.form.elements[name];
  }

  read() {
    const value = (field) => (field.type === "checkbox" ? field.checked : field.value);
    return Object.fromEntries(this.names.map((name) => [name, value(this.of(name))]));
  }

  // What the server put into the form, whatever was typed since.
  given() {
    const value = (field) => {
      if (field.type === "checkbox") return field.defaultChecked;
      if (!field.options) return field.defaultValue;
      return ([...field.options].find((option) => option.defaultSelected) ?? field.options[0])?.value ?? "";
    };
    return Object.fromEntries(this.names.map((name) => [name, value(this.of(name))]));
  }

  write(name, value) {
    if (this.read()[name] === value) return;
    const field = this.of(name);
    if (field.type === "checkbox") field.checked = Boolean(value);
    else field.value = value;
    this.forgive(name);
  }

  // Who mends a field has read what was wrong with it; a landmark mends a street that is missing.
  forgive(name) {
    if (this.of(name).hasAttribute("aria-invalid")) still(() => this.clear(name));
    if (name === "landmark" && !this.of("street").value) this.forgive("street");
  }

  clear(name) {
    this.of(name).removeAttribute("aria-invalid");
    const line = this.of(name).closest(".line-of");
    line.querySelector(`#${name}-error`).remove();
    if (!line.querySelector(".field-error")) line.classList.remove("field-wrong");
    const summary = document.querySelector("#draft [data-error-summary]");
    summary?.querySelector(`[href="#${name}"]`).closest("li").remove();
    const left = summary?.querySelectorAll("li").length;
    if (left) summary.querySelector("h2").textContent = JSON.parse(summary.dataset.titles)[left - 1];
    else summary?.remove();
  }

  get revision() {
    return Number(this.of("revision").value);
  }

  set revision(revision) {
    this.of("revision").value = revision;
  }

  label(name) {
    return this.form.querySelector(`label[for="${name}"]`)?.textContent ?? this.of(name).closest("label").textContent;
  }

  readable(name, value) {
    const field = this.of(name);
    if (field.type === "checkbox") return value ? words.yes : words.no;
    const option = field.options && [...field.options].find((one) => one.value === value);
    return (option ? option.textContent.trim() : value) || words.empty;
  }
}
