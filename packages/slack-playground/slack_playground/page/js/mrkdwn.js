// @ts-check
// Slack's own markup (mrkdwn) as nodes: quotes, code, bold, italic, strike, lists, links, mentions.

import { make } from "./dom.js";
import { broadcast, channelLink, emoji, link, mention } from "./links.js";
import { slackDate } from "./words.js";

// Beside these a mark is only a character: letters, digits, Japanese punctuation.
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
