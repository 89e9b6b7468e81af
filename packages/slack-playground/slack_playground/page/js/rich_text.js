// @ts-check
// rich_text blocks: what a person typed, as Slack stores it.

import { make } from "./dom.js";
import { broadcast, channelLink, emoji, link, mention } from "./links.js";

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
