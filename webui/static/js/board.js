// The board of lines: fetched anew when something happens, and every few seconds, for time makes tasks due.
import { tick } from "./clocks.js";
import { html } from "./net.js";
import { parse, refreshSoon, swap } from "./parts.js";
import { Stream } from "./stream.js";

const EVERY = 5000;
const board = document.getElementById("board");

function renew(after) {
  refreshSoon("board", after, async () => {
    const fresh = board.cloneNode(false);
    fresh.append(parse(await html(board.dataset.renew)));
    if (board.isConnected) replace(fresh);
    tick();
  });
}

// Each part by itself, and only what changed: the focus stays on its button or link.
function replace(fresh) {
  const [old, now] = [[...board.children], [...fresh.children]];
  if (old.length !== now.length) board.replaceChildren(...now);
  else old.forEach((part, place) => swap(part, now[place]));
}

const happened = () => renew(300);

if ("alone" in board.dataset) {
  new Stream(({ type }) => type === "event" && happened()); // no frame of the desk that listens
} else {
  const { listen } = await import("./events.js");
  listen((kind) => kind !== "link" && happened());
}
setInterval(() => document.hidden || renew(0), EVERY);
