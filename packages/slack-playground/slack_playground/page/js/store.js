// @ts-check
// What the page knows: the workspace, who looks at it, what is open, what was said.

import { get } from "./control.js";
import { speakOf } from "./words.js";

export const store = {
  workspace: null,
  me: null,
  channel: null,
  tab: "messages",
  side: null, // null, "thread" or "sent"
  thread: null,
  conversations: new Map(),
  views: [],
  online: true,
};

const listeners = new Map();
const waiting = new Set();

export function on(topic, listener) {
  if (!listeners.has(topic)) listeners.set(topic, new Set());
  listeners.get(topic).add(listener);
}

// A press whose element is replaced before the release is not a click for the browser.
let pressed = false;
addEventListener("pointerdown", (event) => { pressed = event.button === 0; }, true);
for (const end of ["pointerup", "pointercancel"]) addEventListener(end, () => { pressed = false; }, true);
addEventListener("blur", () => { pressed = false; });

// Tells listeners once per frame, however often something changes, and not while a button is pressed.
export function changed(...topics) {
  if (!waiting.size) {
    const go = () => {
      if (pressed) {
        setTimeout(go, 30);
        return;
      }
      const now = [...waiting];
      waiting.clear();
      const called = new Set();
      for (const topic of now) {
        for (const listener of listeners.get(topic) ?? []) {
          if (!called.has(listener)) listener();
          called.add(listener);
        }
      }
    };
    if (document.hidden) setTimeout(go, 30);
    else requestAnimationFrame(go);
  }
  for (const topic of topics) waiting.add(topic);
}

export const user = (id) => store.workspace.users.find((entry) => entry.id === id);
export const me = () => user(store.me);
export const app = () => user(store.workspace.bot_user_id);
export const channel = (id) => store.workspace.channels.find((entry) => entry.id === id);
export const here = () => channel(store.channel);
export const people = () => store.workspace.users.filter((entry) => !entry.is_bot && !entry.deleted);
export const nameOf = (id) => user(id)?.name ?? id;
export const isDm = (entry) => Boolean(entry?.is_im && entry.members.includes(store.workspace.bot_user_id));
export const rootOf = (message) => message.thread_ts ?? message.ts;
export const isReply = (message) => rootOf(message) !== message.ts;

export function mine() {
  return store.workspace.channels.filter((entry) => !entry.archived && entry.members.includes(store.me));
}

// Returns `work`, run one at a time so that no answer overtakes another; calls meanwhile cause one more run.
export function oneAtATime(work) {
  let running = null;
  let again = false;
  return () => {
    again = true;
    running ??= (async () => {
      try {
        while (again) {
          again = false;
          await work();
        }
      } finally {
        running = null;
      }
    })();
    return running;
  };
}

export const loadWorkspace = oneAtATime(async () => {
  store.workspace = await get("state");
  speakOf(store.workspace.app_name);
  changed("workspace");
});

export function conversation(id = store.channel) {
  if (!store.conversations.has(id)) {
    const kept = { messages: new Map(), threads: new Map(), pending: [], news: [], loaded: false, load: null };
    kept.load = oneAtATime(() => load(id, kept));
    store.conversations.set(id, kept);
  }
  return store.conversations.get(id);
}

export const loadConversation = (id) => conversation(id).load();

const byTs = (entries) => new Map(entries.map((entry) => [entry.ts, entry]));

// `news` collects the messages that are new and whole, or whose stream has ended.
async function load(id, kept) {
  const found = await get(`channels/${id}/messages`, { user: store.me });
  if (store.conversations.get(id) !== kept) return; // another person looks at it meanwhile
  const isNew = (message) => !message.streaming && (kept.messages.get(message.ts)?.streaming ?? true);
  if (kept.loaded) kept.news.push(...found.messages.filter(isNew));
  kept.messages = byTs(found.messages);
  kept.threads = byTs(found.threads);
  kept.loaded = true;
  // A message carries the id that the page gave it, however many are on their way.
  const sent = new Set(found.messages.map((message) => message.client_msg_id));
  kept.pending = kept.pending.filter((entry) => !sent.has(entry.id));
  changed("messages");
}

const remembered = (name) => `playground.${name}`;

export const recall = (name) => JSON.parse(localStorage.getItem(remembered(name)) ?? "null");

export function keep(name, value) {
  if (value === null || value === "") localStorage.removeItem(remembered(name));
  else localStorage.setItem(remembered(name), JSON.stringify(value));
}
