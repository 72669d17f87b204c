// One press fills the place in: a street that may be meant, what is no street as a landmark.
const field = (name) => document.getElementById("street").form.elements[name];

export function write(values) {
  for (const [name, value] of Object.entries(values)) field(name).value = value;
  for (const happens of ["input", "change"]) {
    for (const name of Object.keys(values)) field(name).dispatchEvent(new Event(happens, { bubbles: true }));
  }
}

document.addEventListener("click", ({ target }) => {
  const [street, landmark] = ["[data-street]", "[data-as-landmark]"].map((one) => target.closest(one));
  if (street) {
    write({ street: street.dataset.street });
    field("building").focus();
  } else if (landmark) {
    const place = [field("street").value.trim(), field("building").value.trim()].filter(Boolean).join(" ");
    write({ street: "", building: "", landmark: [place, field("landmark").value.trim()].filter(Boolean).join(", ") });
    field("landmark").focus();
  }
});

// Enter in a field goes on to the next of `fields`; a street that was only begun is completed on the way.
export function goOn(field, fields) {
  if (field.id === "street") takeOnlyStreet(field);
  const next = [...fields][[...fields].indexOf(field) + 1];
  next?.focus();
  if (next?.type === "text" && field.id === "street") next.select(); // another street has other numbers
}

// Where one street alone fits the beginning that was typed, of any of its words or of a name that it had, it is meant.
function takeOnlyStreet(field) {
  const typed = ` ${field.value.trim().toLowerCase()}`;
  const begins = (name) => ` ${name.toLowerCase()}`.includes(typed);
  const fitting = [...field.list.options].filter(({ value, dataset }) => begins(dataset.called ?? value));
  const names = new Set(fitting.map((option) => option.value));
  if (typed === " " || names.size !== 1 || names.has(field.value)) return;
  [field.value] = names;
  for (const happens of ["input", "change"]) field.dispatchEvent(new Event(happens, { bubbles: true }));
}
