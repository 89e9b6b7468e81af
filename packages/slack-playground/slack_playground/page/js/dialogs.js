// @ts-check
// The page's own dialogs, native ones, which trap the focus and give it back, and menus.

import { button, icon, make } from "./dom.js";
import { t } from "./words.js";

let counter = 0;
export const newId = (name) => `${name}-${(counter += 1)}`;

/** @param {{title: any, lang?: string, body: any, foot?: any, className?: string, closable?: boolean, onCancel?: () => any}} look */
export function dialog({ title, lang, body, foot, className = "", closable = true, onCancel }) {
  const id = newId("dialog");
  const back = /** @type {HTMLElement} */ (document.activeElement);
  const element = make("dialog", { class: className, "aria-labelledby": id },
    make("header", { class: "dialog-head" }, make("h2", { id, lang }, title),
      closable && button({ class: "quiet", "aria-label": t("close"), onclick: () => element.dispatchEvent(new Event("cancel", { cancelable: true })) }, icon("close"))),
    body, foot);
  element.addEventListener("cancel", (event) => {
    event.preventDefault();
    if (onCancel) onCancel();
    else element.close();
  });
  element.addEventListener("close", () => {
    element.remove();
    // The browser has given the focus back, unless the element that had it was redrawn meanwhile.
    if (!back?.isConnected || document.querySelector("dialog[open]")) return;
    // In a field that got the focus back while another dialog opened, Chromium takes no text until
    // it is focused again.
    if (document.activeElement === back) back.blur();
    if (document.activeElement === document.body) back.focus({ preventScroll: true });
  });
  document.body.append(element);
  element.showModal();
  return element;
}

// Asks for confirmation; resolves to whether it was given.
export function ask({ title, text, confirm, deny, danger }) {
  return new Promise((resolve) => {
    let agreed = false;
    const yes = button({ class: danger ? "danger filled" : "primary", onclick: () => {
      agreed = true;
      element.close();
    } }, confirm);
    const no = button({ class: "plain", autofocus: true, onclick: () => element.close() }, deny);
    const element = dialog({
      title, className: "small", closable: false,
      body: make("div", { class: "dialog-body" }, text),
      foot: make("footer", { class: "dialog-foot" }, no, yes),
    });
    element.addEventListener("close", () => resolve(agreed));
  });
}

export function complain(control, error, message) {
  error.replaceChildren(...(message ? [icon("warning", 15), make("span", {}, message)] : []));
  if (message) control.setAttribute("aria-invalid", "true");
  else control.removeAttribute("aria-invalid");
}

// A button that opens a menu: arrows move, Escape and a click elsewhere close it.

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
