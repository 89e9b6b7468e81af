// @ts-check
// Where the page is: person, conversation, tab, thread, panel. Kept for the next visit.

import { openTab } from "./acts.js";
import { forgetAnnounced } from "./dom.js";
import { changed, here, isDm, keep, loadConversation, mine, people, store } from "./store.js";
import { speak } from "./words.js";

const frame = document.getElementById("app");
export const showPane = (name) => (frame.dataset.pane = name);

let opened = () => {};
export const whenOpened = (listener) => (opened = listener);

export async function bePerson(id) {
  const before = here();
  if (id !== store.me) forgetAnnounced();
  store.me = id;
  store.conversations.clear();
  store.views = [];
  speak(people().find((person) => person.id === id));
  keep("me", id);
  const own = mine();
  const same = before && (isDm(before) ? own.find(isDm) : own.find((entry) => entry.id === before.id));
  store.thread = null;
  if (store.side === "thread") store.side = null;
  changed("workspace", "views");
  await goTo({ channel: (same ?? own.find(isDm) ?? own[0]).id }, false);
}

/** @param {{channel?: string, thread?: string}} place */
export async function goTo({ channel, thread }, show = true) {
  if (thread !== undefined) {
    store.thread = thread;
    store.side = thread ? "thread" : null;
    if (thread) showPane("side");
    changed("side");
    return;
  }
  store.channel = channel;
  store.tab = "messages";
  store.thread = null;
  if (store.side === "thread") store.side = null;
  if (show) showPane("conversation");
  opened();
  changed("side");
  await loadConversation(channel);
  if (isDm(here()) && store.workspace.messages_tab) await openTab("messages");
}

export async function setTab(name) {
  store.tab = name;
  opened();
  if (name === "home" && store.workspace.home_tab) await openTab("home");
  if (name === "messages") await openTab("messages");
}

export function toggleSent() {
  store.side = store.side === "sent" ? null : "sent";
  if (store.side) showPane("side");
  else showPane("conversation");
  changed("side");
}

export function closeSide() {
  const was = store.side;
  store.side = null;
  store.thread = null;
  showPane("conversation");
  changed("side");
  if (was === "sent") document.getElementById("sent-toggle")?.focus();
}
