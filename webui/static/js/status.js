// The page of the system's state: renews its table, and tries whether news of calls arrive.
const table = document.getElementById("parts");
const renewed = document.getElementById("renewed");
const calm = renewed.textContent;

async function renew() {
  try {
    const answer = await fetch(table.dataset.renew, { signal: AbortSignal.timeout(8000) });
    if (answer.status === 401) location.reload();
    if (!answer.ok) throw new Error(answer.status);
    table.innerHTML = await answer.text();
    renewed.textContent = calm;
  } catch {
    renewed.textContent = renewed.dataset.lost;
  }
}
setInterval(() => { if (!document.hidden) renew(); }, 5000);

const check = document.getElementById("event-check");
if (check) {
  const source = new EventSource(check.dataset.url);
  const tell = (heard) => {
    clearTimeout(timer);
    source.close();
    check.className = heard ? "part-ok" : "part-bad";
    check.querySelector(".part-mark").textContent = heard ? "✓" : "▲";
    check.querySelector("[role=status]").textContent = heard ? check.dataset.ok : check.dataset.bad;
  };
  const timer = setTimeout(tell, 6000, false);
  source.addEventListener("state", () => tell(true));
}
