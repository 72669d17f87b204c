// A form with files: what is too large or too many is said before it is sent, and what is under way is said.
for (const form of document.querySelectorAll("form[data-files]")) {
  const input = form.querySelector("input[type=file]");
  input?.addEventListener("change", () => {
    const { mostBytes, mostFiles, tooLarge, tooMany } = input.dataset;
    const files = [...input.files];
    const large = files.some((file) => file.size > Number(mostBytes));
    input.setCustomValidity(large ? tooLarge : files.length > Number(mostFiles) ? tooMany : "");
    input.reportValidity();
  });
  form.addEventListener("submit", () => {
    const button = form.querySelector("[data-sending]");
    if (button && input?.files.length) button.textContent = button.dataset.sending;
  });
}
