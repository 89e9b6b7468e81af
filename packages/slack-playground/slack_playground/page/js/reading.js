// @ts-check
// What each person has read: a dot marks a conversation with newer messages.

import { channel, changed, keep, recall, store } from "./store.js";

const key = (id) => `read.${store.workspace.team_id}.${store.me}.${id}`;

export function markRead(id) {
  const latest = channel(id)?.latest?.ts;
  if (latest && (recall(key(id)) ?? "") < latest) {
    keep(key(id), latest);
    changed("workspace");
  }
}

export function isUnread(entry) {
  if (!entry.latest || entry.latest.user === store.me) return false;
  return (recall(key(entry.id)) ?? "") < entry.latest.ts;
}

export function noteLatest(id, ts, author) {
  const entry = channel(id);
  if (entry && (entry.latest?.ts ?? "") < ts) {
    entry.latest = { ts, user: author };
    changed("workspace");
  }
}
