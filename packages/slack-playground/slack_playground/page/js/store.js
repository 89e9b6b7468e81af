// @ts-check
// What the page knows: the workspace, who looks at it, what is open, what was said.

import { get, stayIn, team } from "./control.js";
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

// The browser makes no click of a press whose element is replaced before the release.
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
  return store.workspace.channels.filter((entry) => !entry.is_archived && entry.members.includes(store.me));
}

// Answers may overtake each other: what the answer to a later request has told stays.
let requests = 0;
let workspaceRequest = 0;

export async function loadWorkspace() {
  const request = ++requests;
  try {
    const found = await get("state");
    if (request < workspaceRequest) return;
    workspaceRequest = request;
    store.workspace = found;
    speakOf(found.app_name);
  } catch (error) {
    // A workspace that is gone after a restart: the first one is always there.
    if (team && !(error instanceof TypeError)) location.replace("/");
    throw error;
  }
  if (store.workspace.workspaces.length > 1) stayIn(store.workspace.team_id);
  changed("workspace");
}

export function conversation(id = store.channel) {
  if (!store.conversations.has(id)) {
    store.conversations.set(id, { messages: new Map(), threads: new Map(), told: { messages: new Map(), threads: new Map() }, pending: [], loaded: false, shown: 80 });
  }
  return store.conversations.get(id);
}

export async function loadConversation(id) {
  const request = ++requests;
  const asked = store.me;
  const kept = conversation(id);
  const found = await get(`channels/${id}/messages`, { as: asked });
  if (asked !== store.me) return;
  for (const part of ["messages", "threads"]) take(kept, part, found[part], request, kept[part].keys());
  kept.loaded = true;
  for (const message of found.messages) confirm(kept, message);
  changed("messages");
}

// Fetches only what changed; what is not there any more was deleted.
export async function loadMessages(id, list) {
  const request = ++requests;
  const asked = store.me;
  const kept = conversation(id);
  const found = await get(`channels/${id}/messages`, { as: asked, only: list.join(",") });
  if (asked !== store.me) return [];
  const fresh = take(kept, "messages", found.messages, request, list);
  take(kept, "threads", found.threads, request);
  for (const message of found.messages) confirm(kept, message);
  changed("messages");
  return fresh;
}

// Applies an answer to `part`, without the `expected` that it does not hold; returns what is new.
function take(kept, part, entries, request, expected = []) {
  const told = kept.told[part];
  const answered = new Map(entries.map((entry) => [entry.ts, entry]));
  const fresh = [];
  for (const ts of new Set([...expected, ...answered.keys()])) {
    if (told.get(ts) > request) continue;
    told.set(ts, request);
    const entry = answered.get(ts);
    if (!entry) kept[part].delete(ts);
    else {
      if (!kept[part].has(ts)) fresh.push(entry);
      kept[part].set(ts, entry);
    }
  }
  if (fresh.length) kept[part] = new Map([...kept[part]].sort(([a], [b]) => (a < b ? -1 : 1)));
  return fresh;
}

// A message carries the id that the page gave it, however many are on their way.
function confirm(kept, message) {
  kept.pending = kept.pending.filter((entry) => entry.id !== message.client_msg_id);
}

const remembered = (name) => `playground.${name}`;

export function recall(name) {
  try {
    return JSON.parse(localStorage.getItem(remembered(name)));
  } catch {
    return null;
  }
}

export function keep(name, value) {
  try {
    if (value === null || value === "") localStorage.removeItem(remembered(name));
    else localStorage.setItem(remembered(name), JSON.stringify(value));
  } catch {
    // Private windows keep nothing; the page works without.
    return;
  }
}
