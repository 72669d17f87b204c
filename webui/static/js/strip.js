// The strip below a page: that there is no connection, the call on my phone where no desk shows it, and that the browser
// gives no sound. It covers nothing that is being used and moves nothing.
import { html } from "./net.js";
import { parse, refresh } from "./parts.js";

const onDesk = Boolean(document.getElementById("desk"));
let call = null; // as the server words it

// `link`: "open", "away", "login" or "other"; `silent`: why a call that rings makes no sound, in words, or "".
export function showStrip(link, words, silent) {
  const strip = document.getElementById("strip") ?? put();
  const fresh = document.createElement("div");
  if (link === "away") fresh.append(words.away ?? "…");
  else if (link === "login") fresh.append(words.login ?? "…", " ", anchor("/login", words.to_login ?? "→", true));
  else if (link === "other") fresh.append(words.other ?? "…", " ", anchor(location.pathname, words.reload ?? "→"));
  else if (call) fresh.append(call.cloneNode(true));
  if (silent && link === "open") fresh.append(" ", silent);
  if (fresh.innerHTML !== strip.innerHTML) strip.replaceChildren(...fresh.childNodes); // else the focus stays
  strip.hidden = !strip.hasChildNodes();
}

// Something happened to the call on my phone: ask what to tell of it, then `show`.
export function refreshCall(show) {
  if (onDesk) return;
  refresh("strip", async () => {
    call = parse(await html("/desk/strip")).querySelector(".strip-call");
    const way = call?.querySelector("a");
    if (way?.getAttribute("href") === location.pathname) way.remove(); // here already
    show();
  });
}

export const tellsOfCall = () => call !== null;

function put() {
  const strip = document.createElement("div");
  strip.id = "strip";
  strip.className = "strip";
  strip.setAttribute("role", "status");
  document.body.append(strip);
  return strip;
}

function anchor(href, text, elsewhere = false) {
  const link = document.createElement("a");
  link.href = href;
  link.textContent = text;
  if (elsewhere) link.target = "_blank";
  return link;
}
