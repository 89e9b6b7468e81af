// @ts-check
// The keyboard: Escape closes what is open, arrows move through the messages.

import { closeMenu } from "./dialogs.js";
import { closeSide } from "./going.js";
import { store } from "./store.js";

export function listenToKeys(focusComposer) {
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || event.isComposing || document.querySelector("dialog[open]") || closeMenu(true)) return;
    if (store.side) closeSide();
    else if (/** @type {HTMLElement} */ (event.target).matches("input, textarea, select")) return;
    focusComposer();
  });
  document.addEventListener("keydown", moveThroughMessages);
}

// Only one message at a time is in the tab order; arrows move through them.
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
