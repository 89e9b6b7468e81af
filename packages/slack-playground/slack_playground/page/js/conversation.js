// @ts-check
// The middle: header, tabs, notices, the conversation, the message box.

import { announce, button, fill, icon, make, sync } from "./dom.js";
import { createComposer } from "./composer.js";
import { say } from "./acts.js";
import { drawHome } from "./views.js";
import { avatar, faceOf, installNotice, nativeName, placeName, titleOf } from "./faces.js";
import { editing, startEdit } from "./messages.js";
import { app, changed, conversation, here, isDm, keep, nameOf, recall, store } from "./store.js";
import { anyWorking, items, oneInTabOrder, preview, refreshStatus } from "./timeline.js";
import { t } from "./words.js";
import { goTo, setTab, showPane, toggleSent } from "./going.js";

const pane = document.getElementById("conversation");
const head = make("header", { class: "pane-head" });
const tabs = make("div", { class: "tabs", role: "tablist" });
const notices = make("div", { class: "notices" });
const list = make("ol", { class: "messages", role: "list" });
const intro = make("div", { class: "intro" });
const earlier = button({ class: "text earlier", hidden: true, onclick: showEarlier });
const scroller = make("div", { class: "scroller", tabindex: "0", role: "region" }, earlier, intro, list);
const newer = button({ class: "newer", hidden: true, onclick: () => toEnd() });
const page = make("div", { class: "page", hidden: true });
const above = make("div", { class: "above", hidden: true });
let root = null; // the thread of a DM that the next message goes to
let followed = true;

const composer = createComposer({
  id: "composer", above,
  where: () => ({ channel: store.channel, thread_ts: root ?? undefined }),
  label: () => (root ? t("replyHere") : t("writeTo", { place: placeName(here()) })),
  onSent: () => {
    followed = true;
    replyTo(null);
  },
  onEscape: () => {
    const was = root;
    if (was) replyTo(null);
    return Boolean(was);
  },
  lastOwn: () => {
    const own = [...conversation().messages.values()].findLast((message) => message.user === store.me && !message.subtype);
    if (own) startEdit(own);
    return own;
  },
});
pane.append(head, tabs, notices, scroller, page, newer, composer.element);

export const focusComposer = () => composer.focus();

// A reply in the DM is written in the same box: there, the thread is shown in the conversation itself.
function replyTo(ts) {
  root = ts;
  drawAbove();
  composer.refresh();
  if (ts) composer.focus();
}

function drawAbove() {
  above.hidden = !root;
  const message = root && conversation().messages.get(root);
  above.replaceChildren(...(message ? [icon("reply", 15), make("span", {}, t("replying", { text: preview(message, 60) })),
    button({ class: "text", onclick: () => replyTo(null) }, t("leaveThread"))] : []));
}

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
    button({ class: "plain sent-toggle", id: "sent-toggle", "aria-pressed": String(store.side === "sent"), title: `${t("sent")} (Alt + S)`, onclick: toggleSent }, icon("sent"), make("span", {}, t("sent"))));
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
  if (store.workspace?.stand_in_model && recall("standIn") !== "hidden") {
    shown.push(make("p", { class: "notice stand-in" }, icon("info", 16), make("span", {}, make("strong", {}, t("standIn")), " ", t("standInNote")),
      button({ class: "quiet", "aria-label": t("hide"), title: t("hide"), onclick: () => {
        keep("standIn", "hidden");
        drawNotices();
      } }, icon("close", 15))));
  }
  fill(notices, store.workspace ? installNotice() : null, shown);
}

// Called when another person, conversation or tab is shown.
export function opened() {
  followed = true;
  root = null;
  editing.key = null;
  list.replaceChildren();
  newer.hidden = true;
  const messages = store.tab === "messages" || !isDm(here());
  scroller.hidden = composer.element.hidden = !messages;
  page.hidden = messages;
  const shown = messages ? scroller : page;
  for (const part of [scroller, page]) part.removeAttribute("id");
  shown.id = "tab-content";
  scroller.setAttribute("aria-label", t("messagesTab"));
  drawAbove();
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
  const { found, earlier: hidden } = items(kept, entry, { shown: kept.shown, open: isDm(entry) ? replyTo : (ts) => goTo({ thread: ts }) });
  const atEnd = followed;
  earlier.hidden = !hidden;
  earlier.textContent = t("earlier");
  const before = list.childElementCount;
  sync(list, found);
  refreshStatus(list, found);
  drawIntro(entry, kept, found.length);
  oneInTabOrder(list);
  if (atEnd) toEnd();
  else if (found.length > before && before) newer.hidden = false;
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
  const prompts = store.workspace.suggested_prompts;
  const sign = JSON.stringify([prompts, store.me]);
  if (intro.sign === sign && intro.childElementCount) return;
  intro.sign = sign;
  fill(intro, avatar(store.workspace.bot_user_id, "big"), make("h2", {}, t("emptyDm")), make("p", {}, t("emptyDmNote")),
    make("ul", { class: "prompts" }, prompts.map((prompt) => make("li", {}, button({ class: "prompt", onclick: () => {
      followed = true;
      say(store.channel, prompt.message);
      composer.focus();
    } }, make("strong", {}, prompt.title), make("span", {}, prompt.message))))));
}

function showEarlier() {
  const kept = conversation();
  const height = scroller.scrollHeight;
  kept.shown += 150;
  drawConversation();
  scroller.scrollTop += scroller.scrollHeight - height;
}

function toEnd() {
  scroller.scrollTop = scroller.scrollHeight;
  newer.hidden = true;
  followed = true;
}

scroller.addEventListener("scroll", () => {
  followed = scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight < 60;
  if (followed) newer.hidden = true;
  if (scroller.scrollTop < 60 && !earlier.hidden) showEarlier();
});
new ResizeObserver(() => followed && toEnd()).observe(scroller);

// Loading lines change while the app works.
setInterval(() => {
  if (store.workspace && store.channel && anyWorking(conversation())) changed("messages");
}, 800);

export function drawNewer() {
  newer.replaceChildren(icon("down", 15), t("newer"));
}

export function tell(message) {
  if (message.user === store.me || message.streaming) return;
  const text = preview(message, 400);
  if (text) announce(`${nameOf(message.user)}: ${text}`);
}
