// The fields of the open draft's form: what they hold, and how a person reads it.
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

  write(name, value) {
    const field = this.of(name);
    if (field.type === "checkbox") field.checked = Boolean(value);
    else field.value = value;
  }

  // Who mends a field has read what was wrong with it.
  forgive(name) {
    this.form.querySelector(`#${name}-error`)?.remove();
    this.of(name).removeAttribute("aria-invalid");
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
