// @ts-check
// Texts as nodes: links, mentions and emoji; rich text, Slack's mrkdwn, standard Markdown.

import "../vendor/markdown-it.min.js";
import "../vendor/purify.min.js";
import { make } from "./dom.js";
import { channel, store, user } from "./store.js";
import { slackDate } from "./words.js";

// Links and mentions, in any text. Only http(s) addresses can be followed.

export function link(url, ...content) {
  const children = content.length ? content : [url];
  const address = URL.canParse(url) ? new URL(url) : null;
  if (!address || !["http:", "https:"].includes(address.protocol)) {
    return make("span", { class: "inert-link", title: url }, ...children);
  }
  return make("a", { href: address.href, target: "_blank", rel: "noopener noreferrer nofollow" }, ...children);
}

function mention(id, fallback) {
  const person = user(id);
  const own = id === store.me;
  return make("span", { class: `mention${own ? " own" : ""}` }, `@${person?.name ?? fallback ?? id}`);
}

const channelLink = (id, fallback) => make("span", { class: "mention" }, `#${channel(id)?.name ?? fallback ?? id}`);
const broadcast = (range) => make("span", { class: "mention own" }, `@${range}`);

const EMOJI = {
  smile: "😄", grinning: "😀", slightly_smiling_face: "🙂", blush: "😊", joy: "😂", wink: "😉", thinking_face: "🤔", cry: "😢", sob: "😭",
  "+1": "👍", thumbsup: "👍", "-1": "👎", thumbsdown: "👎", wave: "👋", clap: "👏", pray: "🙏", ok_hand: "👌", raised_hands: "🙌", muscle: "💪", eyes: "👀",
  heart: "❤️", tada: "🎉", sparkles: "✨", star: "⭐", fire: "🔥", rocket: "🚀", bulb: "💡", memo: "📝", brain: "🧠", books: "📚", robot_face: "🤖",
  white_check_mark: "✅", white_large_square: "⬜", heavy_check_mark: "✔️", x: "❌", warning: "⚠️", information_source: "ℹ️", question: "❓", exclamation: "❗", lock: "🔒", key: "🔑",
  ramen: "🍜", rice: "🍚", sushi: "🍣", coffee: "☕", tea: "🍵", pizza: "🍕", spaghetti: "🍝", bento: "🍱", hourglass_flowing_sand: "⏳", mag: "🔍", wastebasket: "🗑️",
};

export function emoji(name, unicode) {
  const shown = EMOJI[name] ?? (unicode ? String.fromCodePoint(...unicode.split("-").map((part) => parseInt(part, 16))) : null);
  return shown ? make("span", { class: "emoji", role: "img", "aria-label": name.replaceAll("_", " ") }, shown) : document.createTextNode(`:${name}:`);
}

// rich_text blocks: what a person typed, as Slack stores it.

export const richText = (block) => block.elements.map(part);

function part(entry) {
  switch (entry.type) {
    case "rich_text_section": return make("div", { class: "lines" }, entry.elements.map(piece));
    case "rich_text_quote": return make("blockquote", { class: "lines" }, entry.elements.map(piece));
    case "rich_text_preformatted": return make("pre", { tabindex: "0" }, make("code", {}, entry.elements.map((element) => element.text ?? element.url ?? "")));
    case "rich_text_list":
      return make(entry.style === "ordered" ? "ol" : "ul", { class: `indent${entry.indent ?? 0}`, start: entry.offset ? entry.offset + 1 : null },
        entry.elements.map((item) => make("li", {}, item.elements.map(piece))));
    default: return make("div", {}, (entry.elements ?? []).map(piece));
  }
}

function piece(element) {
  switch (element.type) {
    case "text": return styled(element.text, element.style);
    case "user": return mention(element.user_id);
    case "channel": return channelLink(element.channel_id);
    case "usergroup": return broadcast(element.usergroup_id);
    case "broadcast": return broadcast(element.range);
    case "emoji": return emoji(element.name, element.unicode);
    case "link": return link(element.url, styled(element.text ?? element.url.replace(/^mailto:/, ""), element.style));
    case "date": return make("time", {}, element.fallback ?? new Date(element.timestamp * 1000).toLocaleString());
    case "color": return make("code", {}, element.value);
    default: return element.text ?? "";
  }
}

function styled(text, style = {}) {
  let node = document.createTextNode(text);
  if (style.code) node = make("code", {}, node);
  if (style.bold) node = make("strong", {}, node);
  if (style.italic) node = make("em", {}, node);
  if (style.strike) node = make("del", {}, node);
  return node;
}

// Slack's own markup (mrkdwn) as nodes: quotes, code, bold, italic, strike, lists, links, mentions.

// Next to one of these a mark is a plain character: letters, digits, Japanese punctuation.
const WORD = "\\p{L}\\p{N}\u3000-\u303f\uff00-\uffef";
const INLINE = new RegExp([
  "`(?<code>[^`\\n]+)`",
  "<@(?<user>[A-Z0-9]+)(?:\\|(?<userName>[^>]*))?>",
  "<#(?<channel>[A-Z0-9]+)(?:\\|(?<channelName>[^>]*))?>",
  "<!date\\^(?<date>\\d+)\\^(?<dateForm>[^|^>]*)(?:\\^[^|>]*)?(?:\\|(?<dateText>[^>]*))?>",
  "<!(?:subteam\\^)?(?<special>[^|>]+)(?:\\|(?<specialText>[^>]*))?>",
  "<(?<url>[a-z][a-z0-9+.-]*:[^|>\\s]+)(?:\\|(?<urlText>[^>]*))?>",
  `(?<![${WORD}*])\\*(?<bold>[^\\s*](?:(?:<[^>]*>|[^*\\n])*[^\\s*])?)\\*(?![${WORD}*])`,
  `(?<![${WORD}_])_(?<italic>(?:<[^>]*>|[^\\s_])(?:(?:<[^>]*>|[^_\\n])*[^\\s_])?)_(?![${WORD}_])`,
  `(?<![${WORD}~])~(?<strike>[^\\s~](?:(?:<[^>]*>|[^~\\n])*[^\\s~])?)~(?![${WORD}~])`,
  ":(?<emoji>[a-z0-9_+-]+):(?![0-9])",
].join("|"), "gu");

export const unescaped = (text) => text.replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&amp;", "&");

function inline(text) {
  const nodes = [];
  let position = 0;
  const plain = (part) => part && nodes.push(document.createTextNode(unescaped(part)));
  for (const match of text.matchAll(INLINE)) {
    plain(text.slice(position, match.index));
    position = match.index + match[0].length;
    nodes.push(token(match.groups));
  }
  plain(text.slice(position));
  return nodes;
}

function token(found) {
  if (found.code !== undefined) return make("code", {}, unescaped(found.code));
  if (found.user) return mention(found.user, found.userName);
  if (found.channel) return channelLink(found.channel, found.channelName);
  if (found.date) return make("time", { datetime: new Date(found.date * 1000).toISOString() }, unescaped(slackDate(Number(found.date), found.dateForm)));
  if (found.special) return broadcast(unescaped(found.specialText ?? found.special).replace(/^@/, ""));
  if (found.url) return link(unescaped(found.url), unescaped(found.urlText ?? found.url.replace(/^mailto:/, "")));
  if (found.bold !== undefined) return make("strong", {}, inline(found.bold));
  if (found.italic !== undefined) return make("em", {}, inline(found.italic));
  if (found.strike !== undefined) return make("del", {}, inline(found.strike));
  return emoji(found.emoji);
}

// A whole text object: fences, then runs of quoted, listed and plain lines.
export function mrkdwn(text) {
  const nodes = [];
  String(text ?? "").split(/```\n?([\s\S]*?)\n?```/).forEach((part, index) => {
    if (index % 2) nodes.push(make("pre", {}, make("code", {}, unescaped(part))));
    else if (part) nodes.push(...paragraphs(index ? part.replace(/^\n/, "") : part));
  });
  return nodes;
}

function paragraphs(text) {
  const runs = [];
  for (const line of text.split("\n")) {
    const quote = line.match(/^(?:&gt;|>) ?(.*)$/);
    const item = line.match(/^(?:•|◦|▪)\s+(.*)$/);
    const kind = quote ? "quote" : item ? "list" : "plain";
    if (runs.at(-1)?.kind !== kind) runs.push({ kind, lines: [] });
    runs.at(-1).lines.push((quote ?? item)?.[1] ?? line);
  }
  return runs.flatMap(({ kind, lines }) => {
    if (kind === "quote") return [make("blockquote", {}, inline(lines.join("\n")))];
    if (kind === "list") return [make("ul", {}, lines.map((line) => make("li", {}, inline(line))))];
    return lines.join("").trim() ? [make("div", { class: "lines" }, inline(lines.join("\n")))] : [];
  });
}

export const plainOrMrkdwn = (part) => (part.type === "mrkdwn" ? mrkdwn(part.text) : [make("div", { class: "lines" }, withEmoji(part.text))]);

export function withEmoji(text) {
  return text.split(/:([a-z0-9_+-]+):/).map((part, index) => (index % 2 ? emoji(part) : part));
}

// One plain line of a text, for previews and announcements.
export function asPlain(text) {
  const holder = make("div", {}, mrkdwn(text));
  return holder.textContent.replace(/\s+/g, " ").trim();
}

// Standard Markdown, as models write it: markdown-it makes it, DOMPurify lets through what is safe.

const { DOMPurify, markdownit } = /** @type {any} */ (globalThis);
const markdown = markdownit({ html: false, linkify: true, breaks: true });
markdown.linkify.set({ fuzzyLink: false, fuzzyEmail: false, fuzzyIP: false });
markdown.disable("image");
// Headings in a message are not headings of the page.
markdown.renderer.rules.heading_open = (tokens, index) => `<p class="h${tokens[index].tag.slice(1)}">`;
markdown.renderer.rules.heading_close = () => "</p>";
// The page's content security policy refuses style attributes.
for (const tag of ["th", "td"]) {
  markdown.renderer.rules[`${tag}_open`] = (tokens, index) => {
    const align = /text-align:\s*(\w+)/.exec(tokens[index].attrGet("style") ?? "")?.[1] ?? "left";
    return `<${tag} class="align-${align}">`;
  };
}

const ALLOWED = {
  ALLOWED_TAGS: ["p", "br", "hr", "em", "strong", "s", "del", "code", "pre", "blockquote", "ul", "ol", "li", "a", "table", "thead", "tbody", "tr", "th", "td"],
  ALLOWED_ATTR: ["href", "class", "start"],
  RETURN_DOM_FRAGMENT: true,
};
const SPECIAL = /<@([A-Z0-9]+)>|<#([A-Z0-9]+)>|<!(here|channel|everyone)>|(?<![\w:]):([a-z0-9_+-]+):(?!\w)/g;

export function renderMarkdown(text) {
  const fragment = DOMPurify.sanitize(markdown.render(text), ALLOWED);
  for (const anchor of fragment.querySelectorAll("a")) {
    anchor.replaceWith(link(anchor.getAttribute("href") ?? "", ...anchor.childNodes));
  }
  for (const table of fragment.querySelectorAll("table")) {
    const frame = make("div", { class: "table-frame", tabindex: "0", role: "group" });
    table.replaceWith(frame);
    frame.append(table);
  }
  for (const block of fragment.querySelectorAll("pre")) block.tabIndex = 0;
  const walker = document.createTreeWalker(fragment, NodeFilter.SHOW_TEXT);
  const texts = [];
  while (walker.nextNode()) texts.push(walker.currentNode);
  for (const node of texts) if (!node.parentElement?.closest("code, pre, a")) special(node);
  return fragment;
}

function special(node) {
  const nodes = [];
  let position = 0;
  for (const match of node.data.matchAll(SPECIAL)) {
    nodes.push(node.data.slice(position, match.index));
    position = match.index + match[0].length;
    const [, person, channel, range, name] = match;
    nodes.push(person ? mention(person) : channel ? channelLink(channel) : range ? broadcast(range) : emoji(name));
  }
  if (nodes.length) node.replaceWith(...nodes, node.data.slice(position));
}
