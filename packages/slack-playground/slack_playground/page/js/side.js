// @ts-check
// The right: a thread, or what was sent.

import { button, fill, icon, make } from "./dom.js";
import { createComposer } from "./composer.js";
import { placeName } from "./faces.js";
import { closeSide } from "./going.js";
import { conversation, here, store } from "./store.js";
import { items, messagePane, titleOfThread } from "./timeline.js";
import { drawSent, sentPanel } from "./sent.js";
import { t } from "./words.js";

const side = document.getElementById("side");
const head = make("header", { class: "pane-head" });
const { list, scroller, follow, draw } = messagePane();
const composer = createComposer({
  id: "thread-composer",
  where: () => ({ channel: store.channel, thread_ts: store.thread }),
  label: () => t("replyHere"),
  onSent: follow,
});
const threadPanel = make("div", { class: "panel" }, scroller, composer.element);
side.append(head, threadPanel, sentPanel);
let shown = "";

export function drawSide() {
  side.hidden = !store.side;
  document.getElementById("app").classList.toggle("with-side", Boolean(store.side));
  if (!store.side) {
    shown = "";
    return;
  }
  const thread = store.side === "thread";
  const title = thread ? t("thread") : t("sentTitle");
  side.setAttribute("aria-label", title);
  fill(head, 
    button({ class: "quiet back", "aria-label": t("back"), onclick: closeSide }, icon("back")),
    make("h2", {}, title, thread ? make("small", {}, threadTitle() || placeName(here())) : null),
    button({ class: "quiet close-side", "aria-label": t("close"), title: `${t("close")} (Esc)`, onclick: closeSide }, icon("close")));
  threadPanel.hidden = !thread;
  sentPanel.hidden = thread;
  const sign = `${store.side}${store.thread}${store.me}`;
  if (shown !== sign) {
    shown = sign;
    list.replaceChildren();
    follow();
    scroller.setAttribute("aria-label", title);
    if (thread) {
      composer.refresh();
      composer.focus();
    }
  }
  if (thread) drawThread();
  else drawSent();
}

function threadTitle() {
  const message = conversation().messages.get(store.thread);
  return message ? titleOfThread(conversation(), message) : "";
}

export function drawThread() {
  if (store.side !== "thread") return;
  const kept = conversation();
  if (kept.loaded && !kept.messages.has(store.thread)) {
    closeSide();
    return;
  }
  draw(items(kept, here(), { root: store.thread, open: () => composer.focus() }));
}
