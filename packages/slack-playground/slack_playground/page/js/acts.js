// @ts-check
// What the person does; a failure is shown where they look.

import { base64, post } from "./control.js";
import { toast } from "./dom.js";
import { changed, conversation, loadConversation, store } from "./store.js";
import { t } from "./words.js";

export async function attempt(work) {
  try {
    return await work();
  } catch (error) {
    toast(error.message, "problem");
    return null;
  }
}

// A click; `where` is {ts, channel} or {view_id}, `values()` what the other elements hold.
export function clicker(where, values = () => ({})) {
  return async (element, block, value) => {
    const answer = await attempt(() => post("actions", { user: store.me, ...where, action_id: element.action_id, block_id: block.block_id, value, values: values() }));
    if (answer?.ok === false) toast(t("actionFailed", { reason: answer.reason || answer.complaints?.[0] }), "problem");
    return answer;
  };
}

// Shows the message at once; it is confirmed when the playground has it.
export function say(channel, text, thread_ts, files = []) {
  const id = crypto.randomUUID();
  const entry = { files, id, key: `pending-${id}`, channel, text, thread_ts, user: store.me };
  conversation(channel).pending.push(entry);
  return send(entry);
}

export async function send(entry) {
  entry.problem = "";
  changed("messages");
  try {
    await post("messages", { user: entry.user, channel: entry.channel, text: entry.text, thread_ts: entry.thread_ts, client_msg_id: entry.id, ...(entry.files.length ? { file_ids: entry.files.map((file) => file.id) } : {}) });
    if (store.me === entry.user) await loadConversation(entry.channel);
  } catch (error) {
    entry.problem = error.message;
    changed("messages");
  }
}

export function discard(entry) {
  const kept = conversation(entry.channel);
  kept.pending = kept.pending.filter((other) => other !== entry);
  changed("messages");
}

// A slash command; returns a sentence when it could not be done, else "".
export async function command(channel, text, inThread) {
  const [, name, rest] = text.match(/^(\/\S+)\s*([\s\S]*)$/);
  if (inThread) return t("noThreadCommand");
  const known = store.workspace.commands.map((entry) => entry.name);
  if (!known.includes(name)) return t("noCommand", { command: name, commands: known.join(", ") });
  try {
    const answer = await post("commands", { user: store.me, channel, command: name, text: rest });
    return answer.ok ? "" : t("commandFailed", { command: name, reason: answer.reason });
  } catch (error) {
    return error.message;
  }
}

export const upload = async (file) => post("files", { user: store.me, name: file.name, content: await base64(file) });
export const edit = (message, channel, text) => attempt(() => post("messages/edit", { user: store.me, channel, ts: message.ts, text }));
export const forward = (message, channel) => attempt(() => post("messages/forward", { user: store.me, channel, ts: message.ts }));
export const remove = (message, channel) => attempt(() => post("messages/delete", { user: store.me, channel, ts: message.ts }));
export const stop = (channel, thread_ts) => attempt(() => post("stop", { user: store.me, channel, thread_ts }));
export const shortcut = (callback_id, where = {}) => attempt(() => post("shortcuts", { user: store.me, callback_id, ...where }));
export const openTab = (tab) => attempt(() => post("home/open", { user: store.me, tab }));
