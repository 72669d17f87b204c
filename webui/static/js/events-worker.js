// Holds the one stream of this browser and passes it to all tabs of one user. The tab looked at last is the lead:
// it rings and opens the form, so that a call opens once and not in every tab.
import { COUNTS, Stream } from "./stream.js";

const tabs = new Set();
let lead = null;
let stream = null;
let last = ""; // the id of the last event
let link = "";
let present = null; // the last state, kept up to date, for a tab that opens later

function keep({ name, data }) {
  if (name === "state") present = { ...data, calls: new Map(data.calls.map((call) => [call.call, call])) };
  if (name === "state" || !present) return;
  for (const count of COUNTS) present[count] = data[count] ?? present[count];
  if (name !== "call" || !data.call) return;
  if (data.state === "ringing" || data.state === "talking") present.calls.set(data.call, data);
  else present.calls.delete(data.call);
}

function tell(message) {
  if (message.type === "link") link = message.state;
  else keep(message);
  for (const tab of tabs) tab.postMessage({ ...message, lead: tab === lead });
}

function say(tab, message) {
  if (message === "visible") {
    lead = tab;
    stream?.wake();
  }
  if (message === "bye") {
    tabs.delete(tab);
    if (lead === tab) lead = [...tabs].at(-1) ?? null;
    if (!tabs.size) stop();
  }
  if (message === "logout") {
    stop();
    link = "login";
    for (const one of tabs) one.postMessage({ type: "link", state: link });
    setTimeout(() => tabs.size && start(), 3000); // by then the session is over; a new login is noticed
  }
  if (message === "again") stream?.wake();
}

function start() {
  stream ??= new Stream(tell, last);
}

function stop() {
  if (!stream) return;
  last = stream.last;
  stream.close();
  stream = null;
  present = null;
}

self.onconnect = ({ ports: [tab] }) => {
  tabs.add(tab);
  lead ??= tab;
  tab.onmessage = ({ data }) => say(tab, data);
  if (link) tab.postMessage({ type: "link", state: link });
  if (present) {
    const data = { ...present, calls: [...present.calls.values()] };
    tab.postMessage({ type: "event", name: "state", data, lead: tab === lead });
  }
  start();
};
