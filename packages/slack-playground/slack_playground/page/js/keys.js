// @ts-check
// The keyboard: moving between conversations, people and messages, and the list of it all.

import { button, make } from "./dom.js";
import { closeMenu, dialog } from "./dialogs.js";
import { bePerson, closeSide, goTo, toggleSent } from "./going.js";
import { people, store } from "./store.js";
import { t } from "./words.js";

export function showShortcuts() {
  if (document.querySelector("dialog[open]")) return;
  const shown = dialog({
    title: t("shortcuts"), className: "small shortcuts",
    body: make("div", { class: "dialog-body" }, make("dl", {}, t("keys").map(([keys, what]) => make("div", {}, make("dt", {}, make("kbd", {}, keys)), make("dd", {}, what))))),
    foot: make("footer", { class: "dialog-foot" }, button({ class: "primary", autofocus: true, onclick: () => shown.close() }, t("close"))),
  });
}

const writing = (target) => target.matches?.("input, textarea, select, [contenteditable]");

export function listenToKeys(focusComposer) {
  document.addEventListener("keydown", (event) => {
    if (event.isComposing || document.querySelector("dialog[open]")) return;
    if (event.altKey && !event.ctrlKey && !event.metaKey) return withAlt(event);
    if (event.key === "Escape") return escape(event, focusComposer);
    if (writing(event.target) || event.ctrlKey || event.metaKey) return;
    if (event.key === "?") {
      event.preventDefault();
      showShortcuts();
    }
  });
  document.addEventListener("keydown", moveThroughMessages);
}

function withAlt(event) {
  const number = event.code?.match(/^Digit([1-9])$/)?.[1];
  if (number && people()[number - 1]) bePerson(people()[number - 1].id);
  else if (event.code === "KeyS") toggleSent();
  else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
    const all = /** @type {HTMLElement[]} */ ([...document.querySelectorAll(".place")]);
    const at = all.findIndex((place) => place.dataset.place === store.channel);
    goTo({ channel: all.at((at + (event.key === "ArrowDown" ? 1 : -1)) % all.length).dataset.place });
  } else return;
  event.preventDefault();
}

function escape(event, focusComposer) {
  if (closeMenu(true)) return;
  if (store.side) {
    closeSide();
    focusComposer();
  } else if (!writing(event.target)) focusComposer();
}

// One message at a time is in the order of Tab; arrows move through them.
function moveThroughMessages(event) {
  const item = /** @type {HTMLElement} */ (event.target).closest?.(".messages > .message");
  const scroller = event.target.matches?.(".scroller") ? event.target : null;
  if (!["ArrowDown", "ArrowUp", "Home", "End"].includes(event.key) || event.altKey || (!scroller && item !== event.target)) return;
  const list = (item?.parentElement ?? scroller.querySelector(".messages"));
  const all = list ? [...list.querySelectorAll(":scope > .message")] : [];
  if (!all.length) return;
  const at = item ? all.indexOf(item) : all.length;
  const next = all[{ ArrowDown: Math.min(at + 1, all.length - 1), ArrowUp: Math.max(at - 1, 0), Home: 0, End: all.length - 1 }[event.key]];
  event.preventDefault();
  for (const one of all) one.tabIndex = -1;
  next.tabIndex = 0;
  next.focus();
}
