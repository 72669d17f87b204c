// On every page: the lines and counts in the top bar, the sound, the title, and the link's state.
// `listen` gives the desk what happens: ("call", now, before, lead), ("report", data), ("state"),
// ("counts"), ("board"), ("link", state).
import { ask } from "./net.js";
import { COUNTS, Stream } from "./stream.js";
import { refreshCall, showStrip, tellsOfCall } from "./strip.js";

const user = document.body.dataset.user;
const title = document.title;
const listeners = [];
export const calls = new Map();
let frame = { words: {}, sound: false };
let shown = Object.fromEntries(COUNTS.map((name) => [name, null]));
let port = null;
let audio = null;
let mute = false; // a call rings, and the browser plays nothing yet

export function listen(listener) {
  listeners.push(listener);
}

function tellAll(...news) {
  for (const listener of listeners) listener(...news);
}

async function fillFrame() {
  try {
    frame = await (await ask("/desk/frame")).json();
  } catch {
    return; // comes again with the next state
  }
  document.getElementById("lines").innerHTML = frame.lines;
  document.getElementById("counts").innerHTML = frame.counts;
  showLines();
  showCounts(shown);
  tellStrip(); // now in words
}

function showLines() {
  for (const dot of document.querySelectorAll("#lines [data-line]")) {
    const states = [...calls.values()].filter((call) => call.line === dot.dataset.line).map((call) => (call.listens ? "listening" : call.state));
    const state = ["ringing", "listening", "talking"].find((one) => states.includes(one)) ?? "free";
    if (dot.dataset.state === state) continue;
    dot.dataset.state = state;
    dot.querySelector(".line-word").textContent = JSON.parse(dot.dataset.words)[state];
  }
}

function showCounts(told) {
  const before = shown;
  shown = Object.fromEntries(COUNTS.map((name) => [name, told[name] ?? before[name]]));
  const listed = ["missed", "drafts", "online"]; // on the desk
  const changed = before.missed !== null && listed.some((name) => shown[name] !== before[name]);
  for (const [name, value] of Object.entries(shown)) {
    const place = document.querySelector(`#counts [data-count="${name}"]`);
    if (!place || value === null) continue;
    place.textContent = value;
    const whole = place.closest("[data-only-some]");
    if (whole) whole.hidden = value === 0;
  }
  if (changed) tellAll("counts");
}

function happened(now, lead) {
  const before = calls.get(now.call);
  if (now.state === "ringing" || now.state === "talking") calls.set(now.call, now);
  else calls.delete(now.call);
  if (now.rings_me && !before?.rings_me && lead) ring();
  if (onMyPhone(now) || onMyPhone(before)) refreshCall(tellStrip);
  tellAll("call", now, before, lead);
}

function receive({ type, state, name, data, lead }) {
  if (type === "link") return showLink(state);
  if (name === "board") return tellAll("board");
  if (name === "report") {
    showCounts(data);
    return tellAll("report", data);
  }
  if (name === "call") {
    if (data.call) happened(data, lead);
  } else {
    if (String(data.user) !== user) return showLink("other");
    const live = new Set(data.calls.map((call) => call.call));
    for (const [id, call] of calls) if (!live.has(id)) happened({ ...call, state: "gone", rings_me: false }, lead);
    for (const call of data.calls) happened(call, lead);
    if (tellsOfCall()) refreshCall(tellStrip); // it may be over
    if (!frame.lines) fillFrame();
    tellAll("state");
  }
  showCounts(data);
  showLines();
  tellStrip();
}

// Ringing for me: one soft sound, and the title. Browsers give sound only after a key or a click: it is said, and then
// the sound comes if the call rings still.
async function ring() {
  if (!frame.sound) return;
  audio ??= new AudioContext();
  const allowed = audio.resume().then(() => true);
  mute = !(await Promise.race([allowed, new Promise((later) => setTimeout(later, 500, false))]));
  tellStrip();
  if (!mute) play();
}

function unmute() {
  if (!mute) return;
  mute = false;
  tellStrip();
  if (rings()) ring();
}

const onMyPhone = (call) => Boolean(call?.rings_me || call?.talking_to_me);
const rings = () => [...calls.values()].find((call) => call.rings_me);

function play() {
  const start = audio.currentTime;
  for (const [pitch, at] of [[660, 0], [880, 0.18]]) {
    const tone = audio.createOscillator();
    const volume = audio.createGain();
    tone.frequency.value = pitch;
    volume.gain.setValueAtTime(0, start + at);
    volume.gain.linearRampToValueAtTime(0.08, start + at + 0.03);
    volume.gain.exponentialRampToValueAtTime(0.001, start + at + 0.5);
    tone.connect(volume).connect(audio.destination);
    tone.start(start + at);
    tone.stop(start + at + 0.55);
  }
}

setInterval(() => {
  document.title = rings() && !document.title.startsWith("☎") ? `☎ ${title}` : title;
}, 1000);

function showLink(state) {
  document.documentElement.dataset.events = state; // "open", "away", "login", "other"
  tellAll("link", state);
  tellStrip();
}

function tellStrip() {
  const touched = navigator.userActivation?.hasBeenActive;
  const silent = mute && rings() ? ((touched ? frame.words.deaf : frame.words.mute) ?? "…") : "";
  showStrip(document.documentElement.dataset.events, frame.words, silent);
}

// F2 on every page but the desk, which has its own: to the call that rings, else to the desk.
document.addEventListener("keydown", (event) => {
  if (event.key !== "F2" || document.getElementById("desk") || document.querySelector("dialog[open]")) return;
  event.preventDefault();
  location.href = document.querySelector(".strip-call a")?.href ?? "/";
});

function say(message) {
  port?.postMessage(message);
}

function start() {
  if (typeof SharedWorker === "function") {
    const address = new URL("./events-worker.js", import.meta.url);
    const worker = new SharedWorker(address, { type: "module", name: `events-${user}` });
    port = worker.port;
    port.onmessage = ({ data }) => receive(data);
    port.start();
  } else {
    const stream = new Stream((message) => receive({ ...message, lead: !document.hidden }));
    port = {
      postMessage(message) {
        if (message === "logout") stream.close();
        else if (message !== "bye") stream.wake();
      },
    };
  }
  if (!document.hidden) say("visible");
  document.addEventListener("visibilitychange", () => !document.hidden && say("visible"));
  addEventListener("focus", () => say("visible"));
  addEventListener("online", () => say("again"));
  addEventListener("pagehide", () => say("bye"));
  addEventListener("pageshow", (event) => event.persisted && location.reload()); // from the back cache: all is old
  addEventListener("keydown", unmute);
  addEventListener("pointerdown", unmute);
  document.addEventListener("cc:logged-out", () => showLink("login"));
  document.addEventListener("submit", (event) => {
    if (event.target.querySelector("[data-logout]")) say("logout");
  });
  fillFrame();
}

// Once the page's other modules are there and listen: what came before is not told again.
if (user && document.getElementById("lines")) document.addEventListener("DOMContentLoaded", start);
