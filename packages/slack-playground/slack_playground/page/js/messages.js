// @ts-check
// One message: who, when, what, and what can be done with it.

import { button, icon, make } from "./dom.js";
import * as acts from "./acts.js";
import { at } from "./control.js";
import { ask, menuButton, newId } from "./dialogs.js";
import { avatar } from "./faces.js";
import { asPlain, mrkdwn, unescaped } from "./text.js";
import { changed, isReply, nameOf, rootOf, store, user } from "./store.js";
import { viewParts } from "./views.js";
import { languageOf, sizeOf, t, timeOf, wholeTime } from "./words.js";

export const editing = { key: null };
const typed = new Map(); // ts of a message with fields → what they hold

// What was typed, from what Slack stored.
const typedOf = (message) => unescaped((message.text ?? "")
  .replace(/<@([A-Z0-9]+)(?:\|[^>]*)?>/g, (_, id) => `@${nameOf(id)}`)
  .replace(/<(?:mailto:[^|>]+\|([^>]+)|((?!#)[^|>@!]+)(?:\|[^>]*)?)>/g, (_, mail, url) => mail ?? url));

/** @param {any} message @param {string} channel @param {{inThread?: boolean, replies?: any[], open?: (ts: string) => any}} look */
export function messageItem(message, channel, { inThread = false, replies = [], open } = {}) {
  const author = message.user ?? message.bot_id;
  const only = Boolean(message.is_ephemeral);
  const deleted = message.subtype === "tombstone";
  const item = make("li", {
    class: `message${only ? " only" : ""}${deleted ? " tombstone" : ""}`,
    tabindex: "-1", id: `m-${inThread ? "t-" : ""}${message.ts}`,
  });
  item.message = message;
  if (message.subtype === "channel_join") {
    item.classList.add("system");
    item.append(avatar(author, "small"), make("div", {}, make("strong", {}, nameOf(author)), ` ${t("joined")} `, time(message)));
    return item;
  }
  const body = make("div", { class: "message-body" },
    only ? make("div", { class: "only-note" }, icon("eye", 14), t("onlyYou")) : null,
    deleted ? make("div", { class: "message-head" }, time(message)) : head(message, author),
    content(message, channel, item, inThread));
  item.append(deleted ? make("span") : avatar(author), body);
  if (replies.length && open) body.append(repliesButton(message, replies, open));
  if (!only && !deleted) item.append(tools(message, channel, open, inThread));
  return item;
}

const time = (message) => make("time", { class: "time", datetime: new Date(message.ts * 1000).toISOString(), title: wholeTime(message.ts) }, timeOf(message.ts));

function head(message, author) {
  return make("div", { class: "message-head" },
    make("span", { class: "author" }, message.username ?? nameOf(author)),
    user(author)?.is_bot ? make("span", { class: "badge" }, t("app")) : null,
    time(message));
}

function content(message, channel, item, inThread) {
  if (editing.key === message.ts) return editor(message, channel);
  const text = message.text ?? "";
  const lang = languageOf(text, user(message.user));
  const blocks = message.blocks?.length ? blocksOf(message, channel) : message.text ? mrkdwn(text) : [];
  const shown = make("div", { class: `content${message.streaming ? " streaming" : ""}`, lang }, blocks,
    (message.attachments ?? []).map((part) => attachment(part, message, channel)),
    (message.files ?? []).map(fileItem),
    message.edited ? make("small", { class: "edited" }, t("edited")) : null);
  if (message.streaming) {
    const end = [...shown.querySelectorAll(":scope > .block:last-of-type :is(p, li, .lines)")].at(-1);
    (end ?? shown).append(make("span", { class: "caret", "aria-hidden": "true" }));
    item.classList.add("live");
    return [shown, stopRow(channel, rootOf(message), t("writing"))];
  }
  if (message.stream_state === "stopped_by_user") shown.append(make("div", { class: "stopped" }, icon("stop", 14), t("stoppedByYou")));
  return [shown];
}

// What is typed stays when the message is redrawn.
function blocksOf(message, channel) {
  const { nodes, values } = viewParts(message.blocks, { ts: message.ts, channel }, typed.get(message.ts)?.());
  typed.set(message.ts, values);
  return nodes;
}

const PICTURES = new Set(["image/png", "image/jpeg", "image/gif", "image/webp"]);

// A file in the playground can be downloaded; one that a test made up has only a name.
function fileItem(file) {
  const name = file.title ?? file.name ?? file.id;
  const item = make("div", { class: "file" }, icon("file", 16));
  if (!file.url_private_download) {
    item.append(name);
    return item;
  }
  const href = at(`files/${encodeURIComponent(file.id)}`, { user: store.me });
  item.append(make("a", { href, download: file.name, title: t("download") }, name), make("span", { class: "soft" }, ` ${sizeOf(file.size)}`));
  if (!PICTURES.has(file.mimetype)) return item;
  return make("figure", { class: "picture" }, make("img", { class: "large", src: href, alt: t("imageOf", { alt: name }), loading: "lazy" }), item);
}

export function stopRow(channel, root, label, waiting) {
  return make("div", { class: "working" },
    waiting ? make("span", { class: "pulse", "aria-hidden": "true" }, make("i"), make("i"), make("i")) : null,
    make("span", { class: waiting ? "working-text" : "unseen" }, label),
    store.workspace.stop_button ? button({ class: "stop", "aria-label": t("stopLong"), "data-focus": `stop-${root}`, onclick: () => acts.stop(channel, root) }, icon("stop", 16), t("stop")) : null);
}

function attachment(part, message, channel) {
  const side = make("div", { class: "attachment" },
    part.pretext ? make("div", {}, mrkdwn(part.pretext)) : null,
    part.title ? make("strong", {}, part.title) : null,
    part.blocks ? viewParts(part.blocks, { ts: message.ts, channel }).nodes : mrkdwn(part.text ?? part.fallback ?? ""));
  if (/^#?[0-9a-f]{6}$/i.test(part.color ?? "")) side.style.borderColor = `#${part.color.replace("#", "")}`;
  return side;
}

function repliesButton(message, replies, open) {
  const authors = [...new Set(replies.map((reply) => reply.user))].slice(0, 4);
  return button({ class: "replies", "data-focus": `replies-${message.ts}`, onclick: () => open(message.ts) },
    authors.map((id) => avatar(id, "tiny")), make("strong", {}, t("replies", { count: replies.length })),
    make("span", { class: "soft" }, t("last", { when: timeOf(replies.at(-1).ts) })));
}

function tools(message, channel, open, inThread) {
  const own = message.user === store.me && !message.bot_id;
  const entries = [
    open && !(inThread && isReply(message)) ? ["reply", t("reply"), () => open(rootOf(message))] : null,
    own ? ["edit", t("edit"), () => startEdit(message)] : null,
    own ? ["trash", t("remove"), () => askRemove(message, channel)] : null,
  ].filter(Boolean);
  const shortcuts = store.workspace.shortcuts.filter((one) => one.kind === "message");
  return make("div", { class: "tools", role: "group" }, entries.map(([name, label, act]) =>
    button({ class: "quiet", "aria-label": label, title: label, "data-focus": `${name}-${message.ts}`, onclick: act }, icon(name))),
  menuButton({ class: "quiet", "aria-label": t("moreActions"), title: t("moreActions"), "data-focus": `more-${message.ts}` }, [icon("more")],
    () => [...shortcuts.map((one) => ({ label: one.name, note: store.workspace.app_name, choose: () => acts.shortcut(one.callback_id, { channel, ts: message.ts }) })),
      { label: t("forward", { app: store.workspace.app_name }), choose: () => acts.forward(message, channel) }]));
}

export function startEdit(message) {
  editing.key = message.ts;
  changed("messages");
}

function stopEdit() {
  editing.key = null;
  changed("messages");
}

async function askRemove(message, channel) {
  const agreed = await ask({
    title: t("removeAsk"), text: [make("p", { class: "soft" }, t("removeNote")), make("blockquote", {}, asPlain(message.text ?? ""))],
    confirm: t("remove"), deny: t("cancel"), danger: true,
  });
  if (agreed) await acts.remove(message, channel);
}

function editor(message, channel) {
  const box = make("textarea", { rows: "2", "aria-label": t("edit"), id: newId("edit") });
  box.value = typedOf(message);
  setTimeout(() => box.focus());
  const save = async () => {
    const text = box.value.trim();
    if (!text) return askRemove(message, channel);
    if (text !== typedOf(message)) await acts.edit(message, channel, text);
    return stopEdit();
  };
  box.addEventListener("keydown", (event) => {
    event.stopPropagation();
    if (event.key === "Escape") stopEdit();
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing && event.keyCode !== 229) {
      event.preventDefault();
      save();
    }
  });
  return make("div", { class: "editor" }, box, make("div", { class: "editor-foot" },
    button({ class: "plain", onclick: stopEdit }, t("cancel")), button({ class: "primary", onclick: save }, t("save"))));
}

export function pendingItem(entry) {
  return make("li", { class: `message pending${entry.problem ? " failed" : ""}` }, avatar(entry.user), make("div", { class: "message-body" },
    make("div", { class: "message-head" }, make("span", { class: "author" }, nameOf(entry.user)), make("span", { class: "time" }, entry.problem ? "" : t("sending"))),
    make("div", { class: "content", lang: languageOf(entry.text, user(entry.user)) }, make("div", { class: "lines" }, entry.text), entry.files.map((file) => fileItem({ name: file.name }))),
    entry.problem ? make("div", { class: "problem", role: "alert" }, icon("warning", 15), `${t("notSent")} ${entry.problem} `,
      button({ class: "text", onclick: () => acts.send(entry) }, t("retry")), button({ class: "text", onclick: () => acts.discard(entry) }, t("discard"))) : null));
}
