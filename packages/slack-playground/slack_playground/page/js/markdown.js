// @ts-check
// Standard Markdown, as models write it: markdown-it makes it, DOMPurify lets through what is safe.

import "../vendor/markdown-it.min.js";
import "../vendor/purify.min.js";
import { make } from "./dom.js";
import { broadcast, channelLink, emoji, link, mention } from "./links.js";

const { DOMPurify, markdownit } = /** @type {any} */ (globalThis);
const markdown = markdownit({ html: false, linkify: true, breaks: true });
markdown.linkify.set({ fuzzyLink: false, fuzzyEmail: false, fuzzyIP: false });
markdown.disable("image");
// Headings of a message are no headings of the page.
markdown.renderer.rules.heading_open = (tokens, index) => `<p class="h${tokens[index].tag.slice(1)}">`;
markdown.renderer.rules.heading_close = () => "</p>";
// The policy of the page takes no style attributes.
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
