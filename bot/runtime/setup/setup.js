// Copies the manifest, shows that a check runs, and waits until Kioku has started.

for (const button of document.querySelectorAll("[data-copy]")) {
  button.addEventListener("click", async () => {
    const text = button.parentElement.querySelector("textarea");
    text.select();
    await navigator.clipboard?.writeText(text.value);
    button.textContent = button.dataset.copy;
  });
}

const form = document.querySelector("form[data-busy]");
form?.addEventListener("submit", () => {
  const button = form.querySelector("button:not([type])");
  button.textContent = form.dataset.busy;
  button.setAttribute("aria-busy", "true");
  setTimeout(() => { button.disabled = true; });
});
document.querySelector("[aria-invalid]")?.focus();

if (document.querySelector("[data-wait]")) {
  const poll = async () => {
    try {
      const answer = await fetch(`/status${location.search}`);
      if ((await answer.json()).ready) location.reload();
    } catch {
      // The next attempt follows.
    }
  };
  setInterval(poll, 1000);
}
