// A form is sent once: a second press does nothing while the first has no answer. Not so where the page stays, because
// the answer is a file, nor in a search, where the newer question counts.
const ONCE = 'form[method="post"]:not([role="search"], [data-gives-file])';
const STOPPED = 10_000; // after so long it was stopped, or nobody answers: it may be sent again

// On the window, after all who send a form by themselves.
addEventListener("submit", (event) => {
  const form = event.target;
  if (event.defaultPrevented || !form.matches(ONCE)) return;
  if (form.dataset.sent) return event.preventDefault();
  form.dataset.sent = "true";
  setTimeout(() => delete form.dataset.sent, STOPPED);
});

// The page is shown again from the browser's memory.
addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("form[data-sent]")) delete form.dataset.sent;
});
