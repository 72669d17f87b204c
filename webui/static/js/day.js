// An organisation's reports: fetched anew when one came, went or was moved. Nothing moves under a pointer on a button:
// the lists wait until it leaves, at most a few seconds.
import { tick } from "./clocks.js";
import { listen } from "./events.js";
import { html } from "./net.js";
import { refreshSoon, swap } from "./parts.js";

const WAITS = 5; // seconds
const place = document.getElementById("day");

async function renew(tries = 0) {
  if (tries < WAITS && place.querySelector("button:hover")) return refreshSoon("day", 1000, () => renew(tries + 1));
  const fresh = place.cloneNode(false);
  fresh.innerHTML = await html(place.dataset.renew);
  const parts = [...place.children];
  for (const part of parts.slice(fresh.children.length)) part.remove();
  [...fresh.children].forEach((part, at) => (parts[at] ? swap(parts[at], part) : place.append(part)));
  tick();
}

listen((kind) => {
  // every enterprise hears of every report: they do not ask all at once
  if (kind === "report" || kind === "state") refreshSoon("day", 300 + 1000 * Math.random(), renew);
});
