// One stream of server events that comes back by itself: after an error, after silence, after the machine slept.
const SILENCE = 25_000; // the server says something every ten seconds
const OPENS = 5_000; // longer than this no new connection takes: it went into one that is dead
const SLEPT = 5_000; // the clock jumped this far between two ticks of a second
const PAUSES = [300, 1000, 2000, 3000];
const NAMES = ["state", "call", "report", "board", "beat"];
export const COUNTS = ["missed", "drafts", "online", "emergencies", "to_warn", "new"]; // each event brings some of them

export class Stream {
  // `tell` gets {type: "event", name, data} and {type: "link", state: "open" | "away" | "login"}; `last` is the id of the
  // last event that was heard, so that the server tells what came after it.
  constructor(tell, last = "") {
    this.tell = tell;
    this.last = last;
    this.state = "";
    this.failures = 0;
    this.ticked = Date.now();
    this.slowed = false; // a browser lets the clock of a hidden tab tick once a minute; a worker's goes on
    this.connect();
    this.clock = setInterval(() => this.tick(), 1000);
  }

  connect() {
    if (this.closed) return;
    this.drop();
    this.heard = Date.now();
    this.opened = false;
    this.retryAt = Infinity;
    const source = new EventSource(this.last ? `/events?after=${this.last}` : "/events");
    this.source = source;
    for (const name of NAMES) {
      source.addEventListener(name, (event) => {
        this.heard = Date.now();
        this.opened = true;
        this.failures = 0;
        this.last = event.lastEventId || this.last;
        this.say("open");
        if (name !== "beat") this.tell({ type: "event", name, data: JSON.parse(event.data) });
      });
    }
    source.onerror = () => this.failed();
  }

  async failed() {
    this.drop();
    this.retryAt = Date.now() + PAUSES[Math.min(this.failures, PAUSES.length - 1)];
    this.failures += 1;
    let loggedOut = false;
    try {
      loggedOut = (await fetch("/events/alive", { signal: AbortSignal.timeout(OPENS) })).status === 401;
    } catch {
      // nobody answers: it is the connection
    }
    if (this.closed) return;
    if (loggedOut) this.say("login");
    else if (this.failures > 1) this.say("away");
    if (this.failures === 1) setTimeout(() => this.tick(), PAUSES[0]);
  }

  tick() {
    const now = Date.now();
    const slept = now - this.ticked > SLEPT && !this.slowed;
    this.ticked = now;
    this.slowed = Boolean(self.document?.hidden);
    if (slept) this.connect(); // what was open before may be dead without knowing it
    else if (this.source && now - this.heard > (this.opened ? SILENCE : OPENS)) {
      this.say("away");
      this.connect();
    } else if (!this.source && now >= this.retryAt) this.connect();
  }

  // Somebody looks, or the network is back: do not wait for the next try, and trust no old connection.
  wake() {
    const opening = !this.opened && Date.now() - this.heard < OPENS;
    if (this.source && (opening || (this.state === "open" && Date.now() - this.heard < 12_000))) return;
    this.connect();
  }

  drop() {
    this.source?.close();
    this.source = null;
  }

  close() {
    this.closed = true;
    this.drop();
    clearInterval(this.clock);
  }

  say(state) {
    if (state === this.state) return;
    this.state = state;
    this.tell({ type: "link", state });
  }
}
