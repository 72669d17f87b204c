// The time of another call: the field is filled in when its panel opens, and a quick choice records at once.
// Times of the field are times in Kyiv. They are reckoned as if Kyiv were at Greenwich, wherever the browser is.
const MINUTE = 60_000;
const SUNDAY = 0;
const SATURDAY = 6;

function inKyiv() {
  const written = new Date().toLocaleString("sv-SE", { timeZone: "Europe/Kiev" }); // as browsers of any age know it
  return new Date(`${written.replace(" ", "T")}Z`);
}

const typed = (time) => time.toISOString().slice(0, 16);

// When calling begins on the next day that is not Sunday.
function nextDay(now, begins) {
  const day = new Date(now);
  do day.setUTCDate(day.getUTCDate() + 1);
  while (day.getUTCDay() === SUNDAY);
  return `${typed(day).slice(0, 10)}T${begins}`;
}

// The next full hour within the hours of calling.
function nextHour(now, { begins, ends }) {
  const hour = new Date(now);
  hour.setUTCHours(hour.getUTCHours() + 1, 0, 0, 0);
  const over = typed(hour).slice(0, 10) > typed(now).slice(0, 10) || typed(hour).slice(11) >= ends;
  if (over || now.getUTCDay() === SUNDAY) return nextDay(now, begins);
  return typed(hour).slice(11) < begins ? `${typed(now).slice(0, 10)}T${begins}` : typed(hour);
}

export function prefill(panel) {
  const field = panel.querySelector("[type=datetime-local]");
  if (!field) return;
  field.value ||= nextHour(inKyiv(), panel.dataset);
  const morning = panel.querySelector("[data-monday]");
  if (inKyiv().getUTCDay() === SATURDAY) morning.textContent = morning.dataset.monday;
}

export function bindLater(panel) {
  for (const button of panel.querySelectorAll("[data-later]")) {
    button.addEventListener("click", () => {
      const now = inKyiv();
      const minutes = Number(button.dataset.later);
      panel.querySelector("[type=datetime-local]").value = minutes
        ? typed(new Date(now.getTime() + minutes * MINUTE))
        : nextDay(now, panel.dataset.begins);
      panel.querySelector("[data-record]").click();
    });
  }
}
