// @ts-check
// The middle: header, tabs, notices, the conversation, the message box.

import { announce, button, fill, icon, make, sync } from "./dom.js";
import { createComposer } from "./composer.js";
import { say } from "./acts.js";
import { drawHome } from "./views.js";
import { avatar, faceOf, installNotice, nativeName, placeName, titleOf } from "./faces.js";
import { editing, startEdit } from "./messages.js";
import { app, conversation, here, isDm, nameOf, store } from "./store.js";
import { items, messagePane, preview } from "./timeline.js";
import { t } from "./words.js";
import { goTo, setTab, showPane, toggleSent } from "./going.js";

const pane = document.getElementById("conversation");
const head = make("header", { class: "pane-head" });
const tabs = make("div", { class: "tabs", role: "tablist" });
const notices = make("div", { class: "notices" });
const intro = make("div", { class: "intro" });
const { list, scroller, follow, draw } = messagePane(intro);
const page = make("div", { class: "page", hidden: true });

const composer = createComposer({
  id: "composer",
  where: () => ({ channel: store.channel }),
  label: () => t("writeTo", { place: placeName(here()) }),
  onSent: follow,
  lastOwn: () => {
    const own = [...conversation().messages.values()].findLast((message) => message.user === store.me && !message.subtype);
    if (own) startEdit(own);
    return own;
  },
});
pane.append(head, tabs, notices, scroller, page, composer.element);

export const focusComposer = () => composer.focus();

export function drawHead() {
  const entry = here();
  if (!entry) return;
  const dm = isDm(entry);
  pane.setAttribute("aria-label", titleOf(entry));
  fill(head, 
    button({ class: "quiet back", "aria-label": t("back"), onclick: () => showPane("list") }, icon("back")),
    dm ? avatar(store.workspace.bot_user_id, "small") : faceOf(entry),
    make("h1", {}, titleOf(entry), dm ? nativeName(store.workspace.native_name) : null),
    dm ? null : make("div", { class: "faces", role: "img", "aria-label": `${t("members")}: ${entry.members.map(nameOf).join(", ")}`, title: entry.members.map(nameOf).join(", ") }, entry.members.slice(0, 5).map((id) => avatar(id, "tiny"))),
    button({ class: "plain sent-toggle", id: "sent-toggle", "aria-pressed": String(store.side === "sent"), title: t("sent"), onclick: toggleSent }, icon("sent"), make("span", {}, t("sent"))));
  drawTabs(dm);
}

function drawTabs(dm) {
  tabs.hidden = !dm;
  const names = ["messages", "home"];
  sync(tabs, names.map((name) => ({
    key: name, sign: `${t(`${name}Tab`)}${store.tab === name}`,
    build: () => button({
      class: "tab", role: "tab", id: `tab-${name}`, "aria-selected": String(store.tab === name), "aria-controls": "tab-content", tabindex: store.tab === name ? "0" : "-1",
      onclick: () => setTab(name),
      onkeydown: (event) => {
        const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
        if (!step) return;
        setTab(names[(names.indexOf(name) + step + 2) % 2]);
        requestAnimationFrame(() => document.getElementById(`tab-${store.tab}`)?.focus());
      },
    }, t(`${name}Tab`)),
  })));
}

export function drawNotices() {
  const shown = [];
  if (!store.online) shown.push(make("p", { class: "notice problem", role: "alert" }, icon("warning", 16), t("offline")));
  else if (store.workspace?.delivery === "socket" && !store.workspace.connections) shown.push(make("p", { class: "notice problem", role: "status" }, icon("info", 16), t("noApp")));
  fill(notices, store.workspace ? installNotice() : null, shown);
}

// Called when another person, conversation or tab is shown.
export function opened() {
  editing.key = null;
  list.replaceChildren();
  follow();
  const messages = store.tab === "messages" || !isDm(here());
  scroller.hidden = composer.element.hidden = !messages;
  page.hidden = messages;
  const shown = messages ? scroller : page;
  for (const part of [scroller, page]) part.removeAttribute("id");
  shown.id = "tab-content";
  scroller.setAttribute("aria-label", t("messagesTab"));
  composer.refresh();
  drawHead();
  drawNotices();
  drawConversation();
}

export function drawConversation() {
  const entry = here();
  if (!entry) return;
  if (isDm(entry) && store.tab !== "messages") {
    drawHome(page);
    return;
  }
  const kept = conversation();
  const found = items(kept, entry, { open: (ts) => goTo({ thread: ts }) });
  drawIntro(entry, kept, found.length);
  draw(found);
}

function drawIntro(entry, kept, count) {
  const empty = kept.loaded && !count;
  intro.hidden = !empty;
  if (!empty) {
    intro.replaceChildren();
    return;
  }
  if (!isDm(entry)) {
    fill(intro, faceOf(entry), make("h2", {}, t("emptyChannel", { place: placeName(entry) })),
      entry.has_app ? make("p", {}, t("emptyChannelNote", { app: app().name })) : null);
    return;
  }
  const prompts = store.workspace.agent?.suggested_prompts ?? [];
  const sign = JSON.stringify([prompts, store.me]);
  if (intro.sign === sign && intro.childElementCount) return;
  intro.sign = sign;
  fill(intro, avatar(store.workspace.bot_user_id, "big"), make("h2", {}, t("emptyDm")), make("p", {}, t("emptyDmNote")),
    make("ul", { class: "prompts" }, prompts.map((prompt) => make("li", {}, button({ class: "prompt", onclick: () => {
      follow();
      say(store.channel, prompt.message);
      composer.focus();
    } }, make("strong", {}, prompt.title), make("span", {}, prompt.message))))));
}

export function tell(message) {
  if (message.user === store.me || message.streaming) return;
  const text = preview(message, 400);
  if (text) announce(`${nameOf(message.user)}: ${text}`);
}
