// Light or dark before the first paint: "auto", "light" or "dark" in local storage.
document.documentElement.dataset.theme = (() => {
  try {
    return JSON.parse(localStorage.getItem("playground.theme")) ?? "auto";
  } catch {
    return "auto";
  }
})();
