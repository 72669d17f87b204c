// The correction of a report: what the typed street is, as at the desk.
import { goOn } from "./address.js";
import { jsonOf, post } from "./net.js";
import { refreshSoon } from "./parts.js";
import { StreetHint } from "./street.js";

const street = document.getElementById("street");
const hint = new StreetHint(street);

async function look() {
  const typed = street.value;
  const question = new FormData();
  question.set("street", typed);
  const answer = await post(street.form.dataset.streetHelp, question);
  if (answer.ok) hint.show({ ...(await jsonOf(answer)), typed });
}

street.addEventListener("input", () => refreshSoon("street", 300, look));
// Enter goes on to the next field, as at the desk; in the last one it saves.
street.form.addEventListener("keydown", (event) => {
  const fields = [...street.form.querySelectorAll("input:not([type=hidden]), select, textarea")];
  const { target } = event;
  if (event.key !== "Enter" || event.isComposing || !target.matches("input, select") || target === fields.at(-1)) return;
  event.preventDefault();
  goOn(target, fields);
});
street.addEventListener("change", () => {
  hint.show();
  refreshSoon("street", 0, look);
});

(document.querySelector("[aria-invalid]") ?? document.getElementById("text")).focus();
