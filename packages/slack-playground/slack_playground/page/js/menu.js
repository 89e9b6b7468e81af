// @ts-check
// A button that opens a menu: arrows move, Escape and a click elsewhere close it.

import { button, make } from "./dom.js";

let open = null;

// `entries` are {label, note?, lang?, icon?, chosen?, choose}; called each time the menu opens.
export function menuButton(properties, content, entries) {
  const opener = button({ ...properties, "aria-haspopup": "menu", "aria-expanded": "false" }, ...content);
  opener.addEventListener("click", () => (open?.opener === opener ? closeMenu(true) : show(opener, entries())));
  return opener;
}

export function closeMenu(returnFocus = false) {
  if (!open) return false;
  const { menu, opener } = open;
  open = null;
  menu.remove();
  opener.setAttribute("aria-expanded", "false");
  if (returnFocus) opener.focus();
  return true;
}

function show(opener, entries) {
  closeMenu();
  const radio = entries.some((entry) => entry.chosen !== undefined);
  const menu = make("div", { class: "menu", role: "menu", "aria-label": opener.getAttribute("aria-label") ?? opener.textContent },
    entries.map((entry) => button({
      class: `menu-item ${entry.style ?? ""}`, role: radio ? "menuitemradio" : "menuitem", tabindex: "-1", lang: entry.lang,
      "aria-checked": radio ? String(Boolean(entry.chosen)) : null,
      onclick: () => {
        closeMenu(true);
        entry.choose();
      },
    }, entry.icon, make("span", { class: "menu-text" }, entry.label, entry.note ? make("small", {}, entry.note) : null))));
  menu.addEventListener("keydown", keys);
  (opener.closest("dialog") ?? document.body).append(menu);
  place(menu, opener.getBoundingClientRect());
  opener.setAttribute("aria-expanded", "true");
  open = { menu, opener };
  menu.firstElementChild?.focus();
}

function place(menu, from) {
  const room = window.innerHeight - from.bottom;
  menu.style.maxHeight = `${Math.max(room, from.top) - 16}px`;
  menu.style.top = room >= menu.offsetHeight + 8 || room > from.top ? `${from.bottom + 4}px` : `${from.top - menu.offsetHeight - 4}px`;
  menu.style.left = `${Math.max(8, Math.min(from.left, window.innerWidth - menu.offsetWidth - 8))}px`;
}

function keys(event) {
  const items = [...event.currentTarget.children];
  const at = items.indexOf(document.activeElement);
  const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: items.length - 1 }[event.key];
  if (to !== undefined) {
    event.preventDefault();
    items.at(to % items.length).focus();
  } else if (event.key === "Escape" || event.key === "Tab") {
    event.preventDefault();
    event.stopPropagation();
    closeMenu(true);
  }
}

document.addEventListener("pointerdown", (event) => {
  if (open && !open.menu.contains(event.target) && !open.opener.contains(event.target)) closeMenu();
});
window.addEventListener("resize", () => closeMenu());
