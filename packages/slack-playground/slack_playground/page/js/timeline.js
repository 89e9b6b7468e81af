// @ts-check
// The order of a conversation: days, messages, what the app is doing; the same for the main pane and a thread.

import { icon, make, sync } from "./dom.js";
import { avatar } from "./faces.js";
import { asPlain, renderMarkdown } from "./text.js";
import { editing, messageItem, pendingItem, stopRow } from "./messages.js";
import { isDm, isReply, rootOf, store } from "./store.js";
import { dayKey, dayOf, t } from "./words.js";


// [{key, sign, build}] of what is shown. A DM shows each thread whole, below its first message.
/** @param {any} kept @param {any} channel @param {{root?: string, open: (ts: string) => any}} look */
export function items(kept, channel, { root, open }) {
  const all = [...kept.messages.values()];
  const replies = Map.groupBy(all.filter(isReply), rootOf);
  // As in Slack, what only this person sees is not counted.
  const counted = Map.groupBy(all.filter((message) => isReply(message) && !message.is_ephemeral), rootOf);
  const whole = isDm(channel) || Boolean(root);
  const list = root
    ? all.filter((message) => rootOf(message) === root)
    : whole ? inThreads(all, replies) : all.filter((message) => !isReply(message) || message.is_ephemeral && !kept.messages.has(rootOf(message)));
  const found = [];
  for (const [index, message] of list.entries()) {
    const day = dayKey(message.ts);
    if (!root && (!index || dayKey(list[index - 1].ts) !== day)) found.push(divider(day, message.ts));
    found.push(entry(message, channel.id, { inThread: Boolean(root), replies: whole ? [] : counted.get(message.ts) ?? [], open }));
    const next = list[index + 1];
    if (!whole || !next || rootOf(next) !== rootOf(message)) found.push(...status(kept, channel.id, whole ? rootOf(message) : message.ts));
  }
  for (const waiting of kept.pending) {
    if (root ? waiting.thread_ts === root : whole || !waiting.thread_ts) {
      found.push({ key: waiting.key, sign: `${waiting.problem}`, build: () => pendingItem(waiting) });
    }
  }
  return found;
}

export function titleOfThread(kept, message) {
  const thread = isReply(message) ? null : kept.threads.get(message.ts);
  return thread?.session_title || "";
}

function inThreads(all, replies) {
  const roots = all.filter((message) => !isReply(message));
  const known = new Set(roots.map((message) => message.ts));
  const orphans = all.filter((message) => isReply(message) && !known.has(rootOf(message)));
  return [...roots, ...orphans].sort((a, b) => (a.ts < b.ts ? -1 : 1)).flatMap((message) => [message, ...(known.has(message.ts) ? replies.get(message.ts) ?? [] : [])]);
}

function divider(day, ts) {
  return { key: `day-${day}`, sign: `${day}${dayOf(ts)}`, build: () => make("li", { class: "day" }, make("span", {}, dayOf(ts))) };
}

function entry(message, channel, options) {
  const latest = options.replies.at(-1)?.ts ?? "";
  const sign = JSON.stringify([message, options.replies.length, latest, editing.key === message.ts, store.me]);
  return { key: message.ts, sign, build: () => messageItem(message, channel, options) };
}

function isWorking(kept, ts) {
  // Below a stream its own Stop button is shown.
  const streams = [...kept.messages.values()].some((one) => one.streaming && rootOf(one) === ts);
  return kept.threads.get(ts)?.session === "processing" && !streams;
}

function status(kept, channel, root) {
  if (!isWorking(kept, root)) return [];
  const bot = store.workspace.bot_user_id;
  return [{
    key: `status-${root}`, sign: `${root}`,
    build: () => make("li", { class: "message status" }, avatar(bot), make("div", { class: "message-body" }, stopRow(channel, root, t("working"), true))),
  }];
}

// A list of messages that stays at its end while the person reads there; `before` is above it.
export function messagePane(...before) {
  const list = make("ol", { class: "messages", role: "list" });
  const scroller = make("div", { class: "scroller", tabindex: "0", role: "region" }, ...before, list);
  let followed = true;
  const follow = () => {
    followed = true;
    scroller.scrollTop = scroller.scrollHeight;
  };
  scroller.addEventListener("scroll", () => (followed = scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight < 60));
  new ResizeObserver(() => followed && follow()).observe(scroller);
  const draw = (found) => {
    const atEnd = followed;
    sync(list, found);
    oneInTabOrder(list);
    if (atEnd) follow();
  };
  return { list, scroller, follow, draw };
}

// Tab leads to one message: the focused one, or else the newest.
function oneInTabOrder(list) {
  if (list.querySelector(":scope > .message:focus")) return;
  for (const item of list.querySelectorAll(":scope > .message[tabindex='0']")) item.tabIndex = -1;
  const newest = [...list.querySelectorAll(":scope > .message[tabindex]")].at(-1);
  if (newest) newest.tabIndex = 0;
}

export const preview = (message, length = 40) => {
  const written = (message?.blocks ?? []).filter((block) => block.type === "markdown");
  const rendered = written.map((block) => renderMarkdown(block.text).textContent).join(" ").replace(/\s+/g, " ").trim();
  const text = rendered || asPlain(message?.text ?? "");
  return [...text].length > length ? `${[...text].slice(0, length - 1).join("")}…` : text;
};
