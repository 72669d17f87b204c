// What the server knows about what was typed: the report that it repeats, the street, the telephone.
export class Hints {
  // `corrected(street)` is told when a former name gave way to the present one.
  constructor(fields, corrected) {
    this.fields = fields;
    this.corrected = corrected;
  }

  place(id) {
    return this.fields.form.querySelector(`#${id}`);
  }

  showRepeat(repeat) {
    const place = this.place("repeat");
    const button = place.querySelector("button");
    place.hidden = button.disabled = !repeat;
    if (!repeat) return;
    Object.assign(place.querySelector("a"), { href: repeat.url, textContent: `№\u00a0${repeat.number}` });
    button.value = repeat.number;
  }

  // A former name gives way to the present one once the field is left; what is no street is said only then.
  showStreet(street = this.street) {
    if (!street) return;
    this.street = street;
    const field = this.fields.of("street");
    const typing = document.activeElement === field;
    const still = field.value === street.typed;
    this.place("street-note").textContent = still && (street.name || !typing) ? street.note : "";
    if (still && street.name && !typing) {
      field.value = street.typed = street.name;
      this.corrected(street.name);
    }
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
