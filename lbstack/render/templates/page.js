"use strict";
(() => {
  const changes = [...document.querySelectorAll("details.change")];
  const search = document.getElementById("search");
  if (!search) return;
  for (const part of document.querySelectorAll("[data-script]")) part.hidden = false;
  const chosen = (name) =>
    new Set([...document.querySelectorAll(`input[name="${name}"]:checked`)].map((box) => box.value));
  const show = () => {
    const words = chosen("word"), kinds = chosen("kind"), text = search.value.trim().toLowerCase();
    let count = 0;
    for (const change of changes) {
      const { word, kind, name } = change.dataset;
      const fits = words.has(word) && kinds.has(kind) && name.toLowerCase().includes(text);
      change.hidden = !fits;
      count += fits;
    }
    document.getElementById("shown").textContent =
      count === changes.length ? `${count} in all` : `${count} of ${changes.length} shown`;
    document.getElementById("nothing").hidden = count > 0;
  };
  const fold = (open) => {
    for (const change of changes) if (!change.hidden) change.open = open;
  };
  const follow = () => {
    const target = document.getElementById(location.hash.slice(1));
    if (!target || !target.matches("details.change")) return;
    target.hidden = false;
    target.open = true;
    target.scrollIntoView({ block: "center" });
    target.querySelector("summary").focus({ preventScroll: true });
  };
  search.addEventListener("input", show);
  for (const box of document.querySelectorAll("input[type=checkbox]")) box.addEventListener("change", show);
  document.getElementById("open").addEventListener("click", () => fold(true));
  document.getElementById("close").addEventListener("click", () => fold(false));
  addEventListener("hashchange", follow);
  addEventListener("keydown", (event) => {
    const typing = event.target.matches("input, textarea");
    if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey) {
      event.preventDefault();
      search.focus();
    } else if (event.key === "Escape" && event.target === search) {
      search.value = "";
      show();
    }
  });
  show();
  follow();
})();
