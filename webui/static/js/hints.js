// What the server knows about what was typed: the report that it repeats, what is told of the place, the telephone.
export class Hints {
  constructor(fields) {
    this.fields = fields;
  }

  place(id) {
    return document.getElementById(id);
  }

  showRepeat(repeat) {
    const place = this.place("repeat");
    const button = place.querySelector("button");
    place.hidden = button.disabled = !repeat;
    if (!repeat) return;
    Object.assign(place.querySelector("a"), { href: repeat.url, textContent: `№\u00a0${repeat.number}` });
    button.value = repeat.number;
  }

  // What is told already about the same building.
  showSamePlace(content) {
    const place = this.place("same-place");
    if (place.told === content) return;
    place.told = content;
    place.innerHTML = content;
  }

  // The outages at the address.
  showOutages(content) {
    this.place("outages").innerHTML = content;
  }

  // A number that cannot be called is said once the field is left, and until it is changed.
  showPhone(phone = this.phone) {
    if (!phone) return;
    this.phone = phone;
    const field = this.fields.of("other_phone");
    const still = field.value === phone.typed && document.activeElement !== field;
    this.place("phone-note").textContent = still ? phone.note : "";
  }
}
