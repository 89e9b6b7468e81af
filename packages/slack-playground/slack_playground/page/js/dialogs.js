// @ts-check
// The page's own dialogs. Native ones: they trap focus, Escape closes them, focus goes back.

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
    // The browser has given the focus back, unless the element that had it was drawn again meanwhile.
    if (document.activeElement === document.body && back?.isConnected) back.focus({ preventScroll: true });
  });
  document.body.append(element);
  element.showModal();
  return element;
}

// Asks; resolves to whether it was confirmed.
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

export function labelled(text, control, note) {
  control.id ||= newId("field");
  const error = make("p", { class: "field-error", id: `${control.id}-error` });
  control.setAttribute("aria-describedby", error.id);
  const row = make("div", { class: "field" }, make("label", { for: control.id }, text), control, note ? make("p", { class: "field-note" }, note) : null, error);
  return { row, control, say: (message) => complain(control, error, message) };
}

export function complain(control, error, message) {
  error.replaceChildren(...(message ? [icon("warning", 15), make("span", {}, message)] : []));
  if (message) control.setAttribute("aria-invalid", "true");
  else control.removeAttribute("aria-invalid");
}
