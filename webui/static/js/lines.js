// The plan of lines and phones: goes on where a step was moved to, and looks again while a version is being applied.
document.querySelector("[data-go-on]")?.focus();

const outcome = document.querySelector("[data-applying]");

async function look() {
  try {
    const answer = await fetch(location.pathname, { signal: AbortSignal.timeout(8000) });
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    if (answer.ok && !page.querySelector("[data-applying]")) return location.replace(location.pathname);
  } catch {
    // the next look tells
  }
  setTimeout(look, 1000);
}
if (outcome) setTimeout(look, 1000);
