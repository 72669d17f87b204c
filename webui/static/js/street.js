// What the server knows about a typed street: its present name, the names that may be meant, or that it is none.
import { still } from "./parts.js";

export class StreetHint {
  // `field` is where it is typed; `corrected(street)` is told when a former name gave way to the present one.
  constructor(field, corrected = () => {}) {
    this.field = field;
    this.corrected = corrected;
  }

  place(id) {
    return this.field.form.querySelector(`#${id}`);
  }

  // A former name gives way to the present one once the field is left; what is no street is said only then.
  show(street = this.street) {
    if (!street) return;
    this.street = street;
    const { field } = this;
    const typing = document.activeElement === field;
    const unchanged = field.value === street.typed;
    this.place("street-note").textContent = unchanged && (street.name || !typing) ? street.note : "";
    this.offer(unchanged && !typing && !street.name ? street : {});
    if (unchanged && street.name && !typing) {
      field.value = street.typed = street.name;
      this.corrected(street.name);
    }
  }

  // The streets that may be meant, and the way to write it as a landmark.
  offer({ offers = [], unknown = false }) {
    const place = this.place("street-offers");
    const buttons = offers.flatMap((name) => {
      const button = Object.assign(document.createElement("button"), { type: "button", className: "btn btn-outline-secondary btn-sm", textContent: name });
      button.dataset.street = name;
      return [button, " "];
    });
    still(() => {
      place.querySelector("[data-offers]").replaceChildren(...buttons);
      place.querySelector("[data-as-landmark]").hidden = !unknown;
      place.hidden = !offers.length && !unknown;
    });
  }
}
