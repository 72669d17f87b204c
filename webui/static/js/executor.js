// The executor follows the kind of problem until somebody chooses one.
export class Executor {
  constructor(fields) {
    this.fields = fields;
    this.settle();
  }

  // One that only follows from the kind goes on following it.
  settle() {
    const executor = this.fields.of("executor_id").value;
    this.chosen = executor !== "" && executor !== this.ofTheKind();
  }

  ofTheKind() {
    return this.fields.of("category_id").selectedOptions[0]?.dataset.executor ?? "";
  }

  changed(name) {
    if (name === "executor_id") this.settle();
    if (name === "category_id" && !this.chosen) this.fields.write("executor_id", this.ofTheKind());
  }
}
