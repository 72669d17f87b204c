// Clocks that count on in the page: how long a call or a waiting lasts. `data-since`: seconds since the epoch.
// From a day on in words, as the server says it.
const { lang } = document.documentElement;
const words = (unit, unitDisplay) => new Intl.NumberFormat(lang, { style: "unit", unit, unitDisplay });
const [days, short] = [words("day", "long"), words("hour", "short")];

export function tick() {
  for (const clock of document.querySelectorAll("[data-since]")) {
    const seconds = Math.max(0, Math.floor(Date.now() / 1000 - Number(clock.dataset.since)));
    const two = (value) => String(value).padStart(2, "0");
    const hours = Math.floor(seconds / 3600);
    const rest = hours % 24 ? ` ${short.format(hours % 24)}` : "";
    if (hours >= 24) clock.textContent = `${days.format(Math.floor(hours / 24))}${rest}`;
    else clock.textContent = `${hours ? `${hours}:` : ""}${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`;
  }
}

tick();
setInterval(tick, 1000);
