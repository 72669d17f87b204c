// Fields that were changed both here and in another place: the two texts are shown, and the person chooses.
export class Conflicts {
  // `chosen(name)` is told which field has one text again.
  constructor(fields, chosen) {
    this.fields = fields;
    this.chosen = chosen;
    this.theirs = new Map(); // field → the server's text
  }

  get size() {
    return this.theirs.size;
  }

  add(name, theirs) {
    this.theirs.set(name, theirs);
  }

  // Both have the same by now.
  forget(name) {
    this.theirs.delete(name);
  }

  show() {
    const boxes = [...this.theirs].map(([name, theirs]) => this.box(name, theirs));
    this.fields.form.querySelector("#conflicts").replaceChildren(...boxes);
  }

  box(name, theirs) {
    const box = document.getElementById("conflict").content.cloneNode(true).firstElementChild;
    box.querySelector("[data-field]").textContent = this.fields.label(name);
    box.querySelector("[data-theirs]").textContent = this.fields.readable(name, theirs);
    box.querySelector("[data-ours]").textContent = this.fields.readable(name, this.fields.read()[name]);
    box.addEventListener("click", (event) => event.target.dataset.keep && this.choose(name, event.target.dataset.keep));
    return box;
  }

  choose(name, whose) {
    if (whose === "theirs") this.fields.write(name, this.theirs.get(name));
    this.theirs.delete(name);
    this.show();
    this.chosen(name);
  }
}
